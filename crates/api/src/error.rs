//! The one shape of every failure (spec api §2).
//!
//! The envelope is flat. `error_detail` is parsed strictly by published clients, so it is either a
//! whole [`FailureDetail`] or not there.

use crate::Object;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

/// The body of every answer with a status of 400 or more.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// One sentence for a person, naming the thing or the field.
    pub error: String,
    pub code: ErrorCode,
    pub request_id: Option<String>,
    pub retryable: Option<bool>,
    pub suggested_action: Option<String>,
    pub details: Option<Object>,
    pub error_detail: Option<FailureDetail>,
    pub build_id: Option<String>,
}

/// Every code this server answers. Each has a page in `docs/errors/` and an exception in the SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    Unauthorized,
    Forbidden,
    InvalidRequest,
    InvalidFields,
    NotImplemented,
    MethodNotAllowed,
    NotFound,
    SandboxNotFound,
    SnapshotNotFound,
    TemplateNotFound,
    TemplateBuildNotFound,
    TemplateNameClaimNotFound,
    TemplateWarmPoolNotFound,
    ProcessNotFound,
    FileNotFound,
    PreviewGrantNotFound,
    ImageNotFound,
    TenantNotFound,
    KeyNotFound,
    Conflict,
    SandboxNotReady,
    TransitionInProgress,
    TransitionRecoveryRequired,
    QuotaExceeded,
    CapacityExceeded,
    NoEligibleRuntimeHost,
    WarmPoolUnavailable,
    BuildError,
    FileUploadError,
    FileError,
    PermissionDenied,
    ExecFailed,
    ExecTimeout,
    EdgeTokenMissing,
    EdgeTokenExpired,
    EdgeTokenInvalid,
    EdgeTokenScopeMismatch,
    PreviewGrantRevoked,
    PreviewUnavailable,
    InternalError,
    /// What a client reads when a newer server sends a code it does not know. Never sent.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Every code that is ever sent.
    pub const ALL: [ErrorCode; 40] = {
        use ErrorCode::*;
        [
            Unauthorized,
            Forbidden,
            InvalidRequest,
            InvalidFields,
            NotImplemented,
            MethodNotAllowed,
            NotFound,
            SandboxNotFound,
            SnapshotNotFound,
            TemplateNotFound,
            TemplateBuildNotFound,
            TemplateNameClaimNotFound,
            TemplateWarmPoolNotFound,
            ProcessNotFound,
            FileNotFound,
            PreviewGrantNotFound,
            ImageNotFound,
            TenantNotFound,
            KeyNotFound,
            Conflict,
            SandboxNotReady,
            TransitionInProgress,
            TransitionRecoveryRequired,
            QuotaExceeded,
            CapacityExceeded,
            NoEligibleRuntimeHost,
            WarmPoolUnavailable,
            BuildError,
            FileUploadError,
            FileError,
            PermissionDenied,
            ExecFailed,
            ExecTimeout,
            EdgeTokenMissing,
            EdgeTokenExpired,
            EdgeTokenInvalid,
            EdgeTokenScopeMismatch,
            PreviewGrantRevoked,
            PreviewUnavailable,
            InternalError,
        ]
    };

    /// The code as it is on the wire.
    pub fn as_str(self) -> &'static str {
        use ErrorCode::*;
        match self {
            Unauthorized => "unauthorized",
            Forbidden => "forbidden",
            InvalidRequest => "invalid_request",
            InvalidFields => "invalid_fields",
            NotImplemented => "not_implemented",
            MethodNotAllowed => "method_not_allowed",
            NotFound => "not_found",
            SandboxNotFound => "sandbox_not_found",
            SnapshotNotFound => "snapshot_not_found",
            TemplateNotFound => "template_not_found",
            TemplateBuildNotFound => "template_build_not_found",
            TemplateNameClaimNotFound => "template_name_claim_not_found",
            TemplateWarmPoolNotFound => "template_warm_pool_not_found",
            ProcessNotFound => "process_not_found",
            FileNotFound => "file_not_found",
            PreviewGrantNotFound => "preview_grant_not_found",
            ImageNotFound => "image_not_found",
            TenantNotFound => "tenant_not_found",
            KeyNotFound => "key_not_found",
            Conflict => "conflict",
            SandboxNotReady => "sandbox_not_ready",
            TransitionInProgress => "transition_in_progress",
            TransitionRecoveryRequired => "transition_recovery_required",
            QuotaExceeded => "quota_exceeded",
            CapacityExceeded => "capacity_exceeded",
            NoEligibleRuntimeHost => "no_eligible_runtime_host",
            WarmPoolUnavailable => "warm_pool_unavailable",
            BuildError => "build_error",
            FileUploadError => "file_upload_error",
            FileError => "file_error",
            PermissionDenied => "permission_denied",
            ExecFailed => "exec_failed",
            ExecTimeout => "exec_timeout",
            EdgeTokenMissing => "edge_token_missing",
            EdgeTokenExpired => "edge_token_expired",
            EdgeTokenInvalid => "edge_token_invalid",
            EdgeTokenScopeMismatch => "edge_token_scope_mismatch",
            PreviewGrantRevoked => "preview_grant_revoked",
            PreviewUnavailable => "preview_unavailable",
            InternalError => "internal_error",
            Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where and why a build failed. Strict: no other key may appear (spec api §2.2).
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailureDetail {
    /// `build_error`, `file_upload_error`, `internal_error` or `unauthorized`.
    pub code: String,
    pub message: String,
    pub phase: FailurePhase,
    pub retryable: bool,
    pub suggested_action: String,
    pub step_index: Option<u32>,
    pub attempt: Option<u32>,
    pub max_attempts: Option<u32>,
    pub cache_subject: Option<String>,
    pub build_id: Option<String>,
    pub request_id: Option<String>,
    pub details: Option<Object>,
}

/// The closed list of template failure phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailurePhase {
    Auth,
    Preflight,
    BlobUpload,
    Prepare,
    BuildStep,
    Readiness,
    Snapshot,
    Finalize,
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_spelled_the_same_by_serde_and_by_hand_and_is_listed_once() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!(seen.insert(code), "{code} twice");
        }
    }

    #[test]
    fn a_code_from_a_newer_server_is_read_as_unknown() {
        let body: ErrorBody = serde_json::from_str(r#"{"error":"x","code":"brand_new"}"#).unwrap();
        assert_eq!(body.code, ErrorCode::Unknown);
    }

    #[test]
    fn an_envelope_omits_what_it_does_not_say() {
        let body = ErrorBody {
            error: "x".into(),
            code: ErrorCode::Conflict,
            request_id: None,
            retryable: None,
            suggested_action: None,
            details: None,
            error_detail: None,
            build_id: None,
        };
        assert_eq!(serde_json::to_string(&body).unwrap(), r#"{"error":"x","code":"conflict"}"#);
    }
}
