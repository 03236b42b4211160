//! What a checkout did: kept on the sandbox and shown with it for ever (spec warm-pools §5.3).

use super::OnMiss;
use crate::WarmPoolId;
use crate::instance::Instance;
use crate::warm_pool::Mode;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    ReadyInstance,
    ColdCreate,
    Bypassed,
}

/// Why no ready member was handed out. The same closed list is `details.reason` of `warm_pool_unavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissReason {
    /// No member was ready within the wait.
    NoReadyInventory,
    /// The request asks for something that a member made beforehand cannot have.
    UnpoolableShape,
    /// The pool makes another template, or another build than the one named.
    TemplateMismatch,
    /// More CPU, memory or disk than the pool's members have.
    ResourcesExceedPool,
    PoolDisabled,
    DrainActive,
    PoolDeleted,
    /// No member was ready, and the tenant's quota keeps the pool from making one.
    QuotaExceeded,
    /// Members were ready, and every one of them turned out to be dead.
    CandidatesFailed,
}

impl MissReason {
    pub const ALL: [Self; 9] = [
        Self::NoReadyInventory,
        Self::UnpoolableShape,
        Self::TemplateMismatch,
        Self::ResourcesExceedPool,
        Self::PoolDisabled,
        Self::DrainActive,
        Self::PoolDeleted,
        Self::QuotaExceeded,
        Self::CandidatesFailed,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoReadyInventory => "no_ready_inventory",
            Self::UnpoolableShape => "unpoolable_shape",
            Self::TemplateMismatch => "template_mismatch",
            Self::ResourcesExceedPool => "resources_exceed_pool",
            Self::PoolDisabled => "pool_disabled",
            Self::DrainActive => "drain_active",
            Self::PoolDeleted => "pool_deleted",
            Self::QuotaExceeded => "quota_exceeded",
            Self::CandidatesFailed => "candidates_failed",
        }
    }
}

impl fmt::Display for MissReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Receipt {
    /// A member was taken.
    pub fn hit(member: &Instance, mode: Mode, waited: Duration, candidates_tried: u32) -> Self {
        Self {
            source: Source::ReadyInstance,
            hit: true,
            id: member.pool.clone(),
            mode,
            wait_ms: milliseconds(waited),
            generation: Some(member.generation),
            candidates_tried,
            miss_reason: None,
        }
    }

    /// A pool was asked and the sandbox starts cold.
    pub fn miss(pool: WarmPoolId, mode: Mode, waited: Duration, candidates_tried: u32, reason: MissReason) -> Self {
        Self {
            source: Source::ColdCreate,
            hit: false,
            id: Some(pool),
            mode,
            wait_ms: milliseconds(waited),
            generation: None,
            candidates_tried,
            miss_reason: Some(reason),
        }
    }

    /// The pool was left alone on purpose.
    pub fn bypassed(pool: Option<WarmPoolId>) -> Self {
        Self {
            source: Source::Bypassed,
            hit: false,
            id: pool,
            mode: Mode::Bypass,
            wait_ms: 0,
            generation: None,
            candidates_tried: 0,
            miss_reason: None,
        }
    }
}

impl OnMiss {
    /// What a mode does when there is no member.
    pub fn of(mode: Mode) -> Self {
        match mode {
            Mode::Require => Self::Refuse,
            Mode::Prefer | Mode::Bypass => Self::StartCold,
        }
    }
}

fn milliseconds(waited: Duration) -> u64 {
    u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_on_the_wire_is_the_serialised_one() {
        for reason in MissReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
