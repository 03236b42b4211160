//! Sandboxes and how they are made (spec sandboxes §1 to §3, warm-pools §5).

use crate::warm_pools::CheckoutMode;
use crate::{Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// A sandbox, as create, get and list show it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sandbox {
    pub id: String,
    pub status: SandboxStatus,
    pub config: SandboxConfig,
    #[serde(default)]
    pub template: String,
    #[serde(default)]
    pub metadata: Object,
    pub created_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub timeout_at: Option<Timestamp>,
    /// The same moment as `timeout_at`.
    pub expires_at: Option<Timestamp>,
    pub timeout_ms: Option<u64>,
    pub timeout_action: Option<TimeoutAction>,
    pub cwd: Option<String>,
    pub snapshot_id: Option<String>,
    pub warm_pool_checkout: Option<CheckoutReceipt>,
    /// Why the sandbox is in `error`, in one sentence.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxStatus {
    Creating,
    Running,
    Paused,
    Destroyed,
    Error,
}

/// The size of the machine, which is the pool's when it came from one.
#[skip_serializing_none]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxConfig {
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutAction {
    Destroy,
    Hibernate,
}

/// What a create got out of a pool, and why.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckoutReceipt {
    pub source: CheckoutSource,
    /// True only for `ready_instance`.
    pub hit: bool,
    pub id: Option<String>,
    pub mode: Option<CheckoutMode>,
    pub wait_ms: Option<u64>,
    pub generation: Option<u32>,
    pub candidates_tried: Option<u32>,
    pub miss_reason: Option<MissReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutSource {
    ReadyInstance,
    ColdCreate,
    Bypassed,
}

/// Why a pool did not serve a create: in receipts, and in `details.reason` of `warm_pool_unavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// The body of `POST /v1/sandboxes`. Published clients send every field of the first block with its
/// default, so "not said" is recognised by value (spec warm-pools §6).
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreateSandbox {
    /// Absent means `base`.
    pub template: Option<String>,
    pub vcpus: Option<u32>,
    pub memory_mb: Option<u32>,
    pub timeout_ms: Option<u64>,
    pub envs: Option<BTreeMap<String, String>>,
    pub metadata: Option<Object>,
    pub network: Option<Object>,
    pub internet_access: Option<bool>,
    pub cwd: Option<String>,
    pub desktop: Option<Object>,
    pub volumes: Option<Vec<Object>>,
    pub auto_resume: Option<bool>,

    pub disk_mb: Option<u32>,
    pub timeout_action: Option<TimeoutAction>,
    pub lifecycle: Option<Lifecycle>,
    pub warm_pool: Option<WarmPoolRequest>,
    pub snapshot_id: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lifecycle {
    pub on_timeout: Option<OnTimeout>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    Destroy,
    Pause,
}

/// Which pool to take from, how, and how long to wait for a ready member.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WarmPoolRequest {
    pub id: Option<String>,
    pub mode: Option<CheckoutMode>,
    pub wait_ms: Option<u64>,
}

/// Which sandboxes to list. Live ones when `state` is absent.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SandboxListQuery {
    /// Statuses, joined by commas.
    pub state: Option<String>,
    pub template: Option<String>,
    /// A JSON object as text: every key of it must be equal.
    pub metadata: Option<String>,
    /// 1 to 1000.
    pub limit: Option<u32>,
    pub next_token: Option<String>,
    /// Only these fields, joined by commas.
    pub fields: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SandboxList {
    pub items: Vec<Sandbox>,
    pub next_token: Option<String>,
    pub has_next: bool,
}

/// A new timeout, measured from now.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetTimeout {
    pub timeout_ms: u64,
    pub timeout_action: Option<TimeoutAction>,
}

/// What a kill answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Killed {
    pub id: String,
    pub status: SandboxStatus,
}

/// One measurement of a sandbox. Strict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricsSample {
    pub timestamp: Timestamp,
    pub cpu_percent: f64,
    pub cpu_count: u32,
    pub mem_used_bytes: u64,
    pub mem_total_bytes: u64,
    pub disk_used_bytes: u64,
    pub disk_total_bytes: u64,
    pub network_rx_bytes: u64,
    pub network_tx_bytes: u64,
}
