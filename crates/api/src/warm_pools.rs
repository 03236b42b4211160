//! Template warm pools (spec warm-pools §2, §3, §7.3, §8).

use crate::{Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A pool, as every pool endpoint shows it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WarmPool {
    pub id: String,
    pub name: String,
    pub template_ref: String,
    pub state: PoolState,
    pub resolved_template: Option<String>,
    pub resolved_template_build_id: Option<String>,
    pub runtime_artifact_id: Option<String>,
    pub resources: PoolResources,
    pub min_ready: u32,
    pub max_ready: u32,
    pub idle_timeout_seconds: Option<u64>,
    pub stale_after_seconds: Option<u64>,
    pub checkout_policy: CheckoutMode,
    pub version_policy: VersionPolicy,
    pub track_tag: Option<String>,
    pub rollout_generation: Option<u32>,
    pub previous_resolved_template: Option<String>,
    pub previous_resolved_template_build_id: Option<String>,
    pub previous_runtime_artifact_id: Option<String>,
    pub rollout_status: RolloutStatus,
    pub status: PoolCounts,
    pub degraded_reason: Option<DegradedReason>,
    pub labels: BTreeMap<String, String>,
    pub metadata: Object,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub enabled_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub drain_requested_at: Option<Timestamp>,
    pub last_reconciled_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolState {
    Enabled,
    Disabled,
    Draining,
    Deleted,
}

/// How a create uses a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutMode {
    Prefer,
    Require,
    Bypass,
}

/// Whether a pool stays on one build or follows a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionPolicy {
    PinnedBuild,
    TrackTag,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DegradedReason {
    NoEligibleHosts,
    ArtifactNotReady,
    ArtifactPrewarmFailed,
    QuotaExceeded,
    TemplateBuildUnavailable,
    ControllerDisabled,
    DrainActive,
}

/// The size of each member.
#[skip_serializing_none]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolResources {
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: Option<u32>,
}

/// A recount of a pool's members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PoolCounts {
    pub target: u32,
    pub ready: u32,
    pub warming: u32,
    pub claimed: u32,
    pub draining: u32,
    pub failed: u32,
    pub expired: u32,
    pub unavailable: u32,
}

/// How a rollout is going. Strict: no other key may appear (spec api §3).
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RolloutStatus {
    pub version_policy: Option<VersionPolicy>,
    pub track_tag: Option<String>,
    pub rollout_generation: Option<u32>,
    pub current_identity: Option<RolloutIdentity>,
    pub current_counts: Option<RolloutCounts>,
    pub observed_pool_counts: Option<RolloutCounts>,
    pub old_ready_or_warming: Option<u32>,
    pub old_ready_or_warming_released_this_tick: Option<u32>,
    pub updated_at: Option<Timestamp>,
}

/// What the current generation is made of. Strict.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RolloutIdentity {
    pub template: Option<String>,
    pub resolved_template_build_id: Option<String>,
    pub runtime_artifact_id: Option<String>,
    pub warm_profile_key: Option<String>,
    pub create_fingerprint: Option<String>,
}

/// Counts of one generation, or of all. Strict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RolloutCounts {
    pub ready: u32,
    pub warming: u32,
    pub claimed: u32,
    pub failed: u32,
    pub draining: u32,
    pub released: u32,
    pub other: u32,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreateWarmPool {
    /// Any form of ref; `template` is another name for it.
    pub template_ref: Option<String>,
    pub template: Option<String>,
    pub name: Option<String>,
    pub min_ready: Option<u32>,
    pub max_ready: Option<u32>,
    pub resources: Option<AskedResources>,
    pub idle_timeout_seconds: Option<u64>,
    pub stale_after_seconds: Option<u64>,
    pub checkout_policy: Option<CheckoutMode>,
    pub version_policy: Option<VersionPolicy>,
    pub track_tag: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub metadata: Option<Object>,
    pub host_pool_id: Option<String>,
    pub cell_id: Option<String>,
}

/// A change of a pool: only what is there changes.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpdateWarmPool {
    pub template_ref: Option<String>,
    pub template: Option<String>,
    pub name: Option<String>,
    pub min_ready: Option<u32>,
    pub max_ready: Option<u32>,
    pub resources: Option<AskedResources>,
    pub idle_timeout_seconds: Option<u64>,
    pub stale_after_seconds: Option<u64>,
    pub checkout_policy: Option<CheckoutMode>,
    pub version_policy: Option<VersionPolicy>,
    pub track_tag: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub metadata: Option<Object>,
}

/// The size asked for; what is absent has the usual default, or stays in an update.
#[skip_serializing_none]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AskedResources {
    pub vcpus: Option<u32>,
    pub memory_mb: Option<u32>,
    pub disk_mb: Option<u32>,
}

/// Which pools to list. `label` is repeated, `key=value` each; all must match.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WarmPoolListQuery {
    pub template: Option<String>,
    #[param(inline)]
    pub state: Option<PoolState>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<String>,
    /// `ready`, `warming`, `degraded`, `draining` or `unavailable`.
    #[param(inline)]
    pub status: Option<PoolHealth>,
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolHealth {
    Ready,
    Warming,
    Degraded,
    Draining,
    Unavailable,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WarmPoolList {
    pub items: Vec<WarmPool>,
}

/// Why a pool is as it is.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolExplanation {
    /// The controller's own sentences about its last pass.
    pub notes: Vec<String>,
    /// When that pass was; absent before the first.
    pub observed_at: Option<Timestamp>,
    pub degraded: Option<Degradation>,
    pub pool: WarmPool,
}

/// What keeps a pool from being what its owner wants, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Degradation {
    pub reason: DegradedReason,
    pub evidence: String,
    pub since: Timestamp,
}
