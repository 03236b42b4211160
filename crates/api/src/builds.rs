//! Builds and their logs (spec templates §2.3 to §2.6, §5).

use crate::error::FailureDetail;
use crate::templates::{RuntimeDefaults, TemplateInfo, Visibility};
use crate::{Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::{IntoParams, ToSchema};

/// One attempt to make a template's artifact.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Build {
    pub build_id: String,
    pub template_id: String,
    pub name: String,
    pub tags: Vec<String>,
    pub status: BuildStatus,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub build_backend: Option<BuildBackend>,
    pub source_type: Option<SourceType>,
    pub canonical_ref: Option<String>,
    pub namespace_slug: Option<String>,
    pub visibility: Option<Visibility>,
    pub source_digest: Option<String>,
    pub context_digest: Option<String>,
    pub dockerfile_digest: Option<String>,
    pub triggered_by: Option<String>,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub duration_ms: Option<u64>,
    pub failure_phase: Option<String>,
    pub build_config: Option<Object>,
    pub cache_summary: Option<CacheSummary>,
    pub artifact_availability: Option<ArtifactAvailability>,
    pub promotability: Option<Promotability>,
    pub retention_expires_at: Option<Timestamp>,
    pub runtime_defaults: Option<RuntimeDefaults>,
    #[serde(default)]
    pub artifact_ids: Vec<String>,
    /// The failure as one sentence, when `status` is `error`.
    pub error: Option<String>,
    pub error_detail: Option<FailureDetail>,
    pub retry_of_build_id: Option<String>,
    pub original_build_id: Option<String>,
    pub cancel_requested_at: Option<Timestamp>,
    pub cancel_requested_by: Option<String>,
    pub cancellation_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    Waiting,
    Building,
    Ready,
    Error,
    Cancelled,
}

impl BuildStatus {
    /// Whether nothing will change any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Ready | Self::Error | Self::Cancelled)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildBackend {
    Native,
    Buildkit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceType {
    Declarative,
    Dockerfile,
    OciImport,
    TemplateBase,
}

/// How often each cache helped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CacheSummary {
    pub final_artifact_hits: u32,
    pub final_artifact_misses: u32,
    pub final_artifact_bypasses: u32,
    pub final_artifact_stores: u32,
    pub layer_hits: u32,
    pub layer_misses: u32,
    pub layer_bypasses: u32,
    pub layer_stores: u32,
    pub file_blob_hits: u32,
    pub file_blob_misses: u32,
    pub file_blob_bypasses: u32,
    pub file_blob_stores: u32,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArtifactAvailability {
    pub status: ArtifactStatus,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactStatus {
    Available,
    Publishing,
    Warming,
    Unavailable,
    Failed,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Promotability {
    pub status: PromotabilityStatus,
    pub promotable: bool,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromotabilityStatus {
    Promotable,
    NotReady,
    Expired,
    Purged,
    Unavailable,
}

/// One line of a build's log. Offsets count from 0 without gaps and never change.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    pub build_id: String,
    pub template_id: String,
    pub offset: u64,
    pub timestamp: Timestamp,
    pub kind: LogKind,
    pub level: LogLevel,
    pub message: String,
    pub phase: Option<String>,
    pub step_index: Option<u32>,
    pub total_steps: Option<u32>,
    pub attempt: Option<u32>,
    pub max_attempts: Option<u32>,
    pub cache_kind: Option<String>,
    pub cache_status: Option<String>,
    pub cache_reason: Option<String>,
    pub cache_subject: Option<String>,
    pub error_detail: Option<FailureDetail>,
    /// The template, on the `end` entry.
    pub result: Option<TemplateInfo>,
    pub result_metadata: Option<ResultMetadata>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    Start,
    Message,
    Cache,
    Retry,
    Warning,
    Error,
    Cancelled,
    End,
}

impl LogKind {
    /// Whether a log ends with an entry of this kind.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Error | Self::Cancelled | Self::End)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultMetadata {
    pub runtime_defaults: Option<RuntimeDefaults>,
}

/// A build with the log entries from the asked offset on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildSnapshot {
    pub build: Build,
    pub entries: Vec<LogEntry>,
    /// The offset to ask for next.
    pub next_offset: u64,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildList {
    pub builds: Vec<Build>,
    pub next_cursor: Option<String>,
}

/// Which builds of a template to list.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BuildListQuery {
    #[param(inline)]
    pub status: Option<BuildStatus>,
    #[param(inline)]
    pub backend: Option<BuildBackend>,
    #[param(inline)]
    pub source_type: Option<SourceType>,
    /// 1 to 100.
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// Where to start in a build's log, and whether to stay for what comes.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// The first offset to send.
    pub offset: Option<u64>,
    /// The last offset already seen.
    pub cursor: Option<u64>,
    pub follow: Option<bool>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelBuild {
    pub reason: Option<String>,
}

/// Moves one tag, or several, to the build in the path.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromoteBuild {
    pub tag: Option<String>,
    pub tags: Option<Vec<String>>,
}
