//! One attempt to make an artifact of a template (spec templates §2.3).

use nullspace_domain::runtime::RuntimeConfig;
use nullspace_domain::{ArtifactId, BuildId, Resources, TemplateId, TenantId, Timestamp};
use nullspace_node::api::FailurePhase;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    pub id: BuildId,
    pub template: TemplateId,
    /// None for a builtin's.
    pub tenant: Option<TenantId>,
    pub namespace: String,
    pub name: String,
    /// What it will be, or was, tagged with when it became ready.
    pub tags: Vec<String>,
    pub status: BuildStatus,
    pub source_type: SourceType,
    pub resources: Resources,
    /// Only if the request said so: echoed in `build_config`.
    pub disk_mb_asked: Option<u32>,
    pub internet_access: bool,
    /// Of the request without secrets: equal requests are equal here.
    pub source_digest: String,
    pub context_digest: Option<String>,
    pub runtime: RuntimeConfig,
    pub artifact: Option<ArtifactId>,
    pub failure: Option<Failure>,
    pub cache: CacheSummary,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub cancel_requested_at: Option<Timestamp>,
    pub cancellation_reason: Option<String>,
    pub retry_of: Option<BuildId>,
    /// Counts starts: a tag goes to the build that was started last.
    pub sequence: u64,
}

impl Build {
    pub fn canonical_ref(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    Waiting,
    Building,
    Ready,
    Error,
    Cancelled,
}

impl BuildStatus {
    /// The word on the wire and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Building => "building",
            Self::Ready => "ready",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Ready | Self::Error | Self::Cancelled)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceType {
    Declarative,
    TemplateBase,
}

impl SourceType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declarative => "declarative",
            Self::TemplateBase => "template_base",
        }
    }
}

/// Why a build failed (spec api §2.2): five facts that clients insist on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `build_error`, `file_upload_error` or `internal_error`.
    pub code: String,
    pub message: String,
    pub phase: FailurePhase,
    pub retryable: bool,
    pub suggested_action: String,
    /// 1-based.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_index: Option<u32>,
}

/// How often each cache helped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheSummary {
    pub final_artifact: CacheCounts,
    pub layer: CacheCounts,
    pub file_blob: CacheCounts,
}

impl CacheSummary {
    /// Counts one report, in the words of spec api §5.
    pub fn count(&mut self, kind: &str, status: &str) {
        let counts = match kind {
            "final_artifact" => &mut self.final_artifact,
            "layer" => &mut self.layer,
            "file_blob" => &mut self.file_blob,
            _ => return,
        };
        match status {
            "hit" => counts.hits += 1,
            "miss" => counts.misses += 1,
            "bypass" => counts.bypasses += 1,
            "stored" => counts.stores += 1,
            _ => {}
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
    pub bypasses: u64,
    pub stores: u64,
}
