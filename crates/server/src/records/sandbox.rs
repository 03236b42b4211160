//! What a tenant holds: bound to a machine while it runs, and a row for ever after.

use super::Receipt;
use nullspace_domain::{BuildId, InstanceId, Resources, SandboxId, TemplateId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    pub id: SandboxId,
    pub tenant: TenantId,
    /// As the caller wrote it.
    pub template_ref: String,
    pub template: TemplateId,
    pub build: BuildId,
    pub status: SandboxStatus,
    /// What the machine has; a pool's member may have more than was asked for.
    pub resources: Resources,
    pub internet_access: bool,
    pub envs: BTreeMap<String, String>,
    pub cwd: Option<String>,
    pub metadata: serde_json::Map<String, serde_json::Value>,
    pub timeout: Duration,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    /// When it is destroyed by itself.
    pub timeout_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub instance: InstanceId,
    /// None when the create named no pool.
    pub checkout: Option<Receipt>,
    /// Why its status is `error`.
    pub failure: Option<String>,
    pub revision: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxStatus {
    Creating,
    Running,
    Paused,
    Destroyed,
    Error,
}

impl SandboxStatus {
    pub const ALL: [SandboxStatus; 5] = [Self::Creating, Self::Running, Self::Paused, Self::Destroyed, Self::Error];

    /// The word on the wire and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Destroyed => "destroyed",
            Self::Error => "error",
        }
    }

    /// Whether a machine may stand behind it.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Creating | Self::Running | Self::Paused)
    }
}
