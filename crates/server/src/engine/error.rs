//! Everything an operation can answer instead of what was asked. The list is closed: a dialect maps
//! it to its wire by one exhaustive `match`.

use crate::records::{BuildStatus, MissReason, SandboxStatus};
use crate::store;
use nullspace_domain::{BuildId, SandboxId, WarmPoolId};
use nullspace_node::api::FailurePhase;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key, or one that is not known or not valid any more.
    #[error("the API key is missing, unknown or revoked")]
    Unauthorized,
    #[error("{message}")]
    Forbidden { message: String },
    /// Something in the request cannot be; `field` is its name on the wire.
    #[error("{message}")]
    InvalidRequest { field: String, message: String },
    #[error("`{field}` is not implemented yet")]
    NotImplemented { field: String },

    #[error("template `{reference}` was not found")]
    TemplateNotFound { reference: String },
    #[error("build `{id}` was not found")]
    BuildNotFound { id: String },
    #[error("template `{reference}` has no tag `{tag}`")]
    TagNotFound { reference: String, tag: String },
    #[error("sandbox `{id}` was not found")]
    SandboxNotFound { id: String },
    #[error("warm pool `{id}` was not found")]
    WarmPoolNotFound { id: String },
    #[error("tenant `{slug}` was not found")]
    TenantNotFound { slug: String },
    #[error("key `{id}` was not found")]
    KeyNotFound { id: String },
    #[error("image `{name}` was not found")]
    ImageNotFound { name: String },

    /// Code `warm_pool_unavailable`, 503: recorded nowhere.
    #[error("warm pool `{pool}` has no ready instance for this request")]
    WarmPoolUnavailable { pool: WarmPoolId, reason: MissReason, waited_ms: u64 },
    /// The same Idempotency-Key is being worked on.
    #[error("a request with this Idempotency-Key is still running")]
    TransitionInProgress,
    #[error("this Idempotency-Key was used with another request")]
    IdempotencyConflict,
    #[error("sandbox `{id}` is {}, not running", .status.as_str())]
    SandboxNotReady { id: SandboxId, status: SandboxStatus },
    /// Only a ready build can be tagged.
    #[error("build `{id}` is {} and cannot be promoted", .status.as_str())]
    BuildNotPromotable { id: BuildId, status: BuildStatus },
    /// Something of that name exists.
    #[error("{message}")]
    Conflict { message: String },
    #[error("{message}")]
    QuotaExceeded { message: String },
    /// No host has room or can run it.
    #[error("no host can run this: {detail}")]
    NoEligibleHost { detail: String },
    /// A cold create could not be started.
    #[error("the sandbox could not be started: {detail}")]
    StartFailed { detail: String },
    /// The machine behind a running sandbox does not answer.
    #[error("sandbox `{id}` does not answer: {detail}")]
    Unresponsive { id: SandboxId, detail: String },

    /// A context file is missing, too long or not what it was said to be (code `file_upload_error`).
    #[error("{message}")]
    FileUpload { message: String, phase: FailurePhase },
    #[error("the body is larger than {limit_bytes} bytes")]
    BodyTooLarge { limit_bytes: u64 },
    #[error("the registry refused the credentials for `{name}`")]
    ImageUnauthorized { name: String },
    #[error("{detail}")]
    ImageInvalid { name: String, detail: String },
    #[error("image `{name}` could not be had: {detail}")]
    ImageFailed { name: String, detail: String },

    #[error("the store failed")]
    Store(#[from] store::Error),
    /// Not the caller's doing; the chain goes to the log, not to the caller.
    #[error("cannot {doing}")]
    Internal {
        doing: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidRequest { field: field.into(), message: message.into() }
    }

    pub(crate) fn internal(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal { doing: doing.into(), source: source.into() }
    }
}

impl From<nullspace_domain::name::Invalid> for Error {
    fn from(invalid: nullspace_domain::name::Invalid) -> Self {
        Self::InvalidRequest { message: invalid.to_string(), field: invalid.field }
    }
}

/// A query's failure is the store's.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
