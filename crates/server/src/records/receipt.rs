//! What a checkout did: kept on the sandbox and shown with it for ever (spec warm-pools §5.3).

use nullspace_domain::WarmPoolId;
use nullspace_domain::warm_pool::Mode;
use serde::{Deserialize, Serialize};

/// Where a sandbox's machine came from, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub source: Source,
    /// True only for a ready instance.
    pub hit: bool,
    /// The pool that was taken from or tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<WarmPoolId>,
    pub mode: Mode,
    /// Time actually waited for a member.
    pub wait_ms: u64,
    /// The pool's rollout generation the member was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// Members looked at, dead ones included.
    pub candidates_tried: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miss_reason: Option<MissReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    ReadyInstance,
    ColdCreate,
    Bypassed,
}

/// Why no ready member was handed out. The same list is `details.reason` of `warm_pool_unavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissReason {
    NoReadyInventory,
    UnpoolableShape,
    TemplateMismatch,
    ResourcesExceedPool,
    PoolDisabled,
    DrainActive,
    PoolDeleted,
    QuotaExceeded,
    CandidatesFailed,
}
