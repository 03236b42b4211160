//! What an error means in this dialect: status, code and details (spec api §2.3), given once.

use crate::engine;
use crate::http::envelope::{self, Failed};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nullspace_api::error::FailureDetail;
use nullspace_api::{ErrorBody, ErrorCode, Object};
use nullspace_guest::client;
use nullspace_guest::protocol::FailureCode;
use serde_json::{Value, json};
use std::error::Error as _;

/// Everything a handler can answer instead of what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// Something in the request cannot be; `field` is its name on the wire.
    #[error("{message}")]
    Invalid { field: String, message: String },
    #[error("`{unknown}` is not a field of this answer")]
    InvalidFields { unknown: String },
    #[error("`{field}` is larger than this server takes")]
    TooLarge { field: String },
    #[error("`{field}` is not implemented yet")]
    NotImplemented { field: String },
    #[error("the sandbox could not {doing}: {source}", doing = subject.doing())]
    Guest {
        subject: Subject,
        #[source]
        source: client::Error,
    },
    #[error("the sandbox did not {doing} in time", doing = subject.doing())]
    GuestSilent { subject: Subject },
    #[error("the command did not end within {seconds} s and was killed")]
    ExecTimeout { seconds: u64 },
    #[error("preview grant `{id}` was not found")]
    GrantNotFound { id: String },
    #[error("this is for the operator's key")]
    OperatorOnly,
    #[error("cannot {doing}")]
    Internal {
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a guest was asked about: decides what "not found" means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Command,
    Process(u32),
    File(String),
    Port(u16),
    Machine,
}

impl Subject {
    fn doing(&self) -> String {
        match self {
            Subject::Command => "run the command".into(),
            Subject::Process(pid) => format!("reach process {pid}"),
            Subject::File(path) => format!("reach `{path}`"),
            Subject::Port(port) => format!("connect to port {port}"),
            Subject::Machine => "say how it is".into(),
        }
    }

    /// Turns a failed operation on this subject into an error.
    pub fn failed(self, source: client::Error) -> Error {
        Error::Guest { subject: self, source }
    }
}

impl Error {
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    pub fn not_implemented(field: impl Into<String>) -> Self {
        Self::NotImplemented { field: field.into() }
    }

    /// Status and body; the request id comes later.
    pub fn describe(&self) -> (StatusCode, ErrorBody) {
        let (status, code, details) = self.meaning();
        let mut body = envelope::body(code, self.to_string());
        body.details = details;
        body.retryable = Some(match self {
            Error::Engine(engine::Error::TransitionInProgress) => true,
            _ => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        });
        if let Error::Engine(engine::Error::FileUpload { message, phase }) = self {
            body.error_detail = Some(FailureDetail {
                code: code.as_str().into(),
                message: message.clone(),
                phase: super::builds::view::phase(*phase),
                retryable: true,
                suggested_action: "upload the file again".into(),
                step_index: None,
                attempt: None,
                max_attempts: None,
                cache_subject: None,
                build_id: None,
                request_id: None,
                details: None,
            });
        }
        (status, body)
    }

    fn meaning(&self) -> (StatusCode, ErrorCode, Option<Object>) {
        use ErrorCode as Code;
        match self {
            Error::Engine(error) => engine_meaning(error),
            Error::Invalid { field, .. } => {
                (StatusCode::BAD_REQUEST, Code::InvalidRequest, named("field", field.as_str()))
            }
            Error::InvalidFields { .. } => (StatusCode::BAD_REQUEST, Code::InvalidFields, named("field", "fields")),
            Error::TooLarge { field } => {
                (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidRequest, named("field", field.as_str()))
            }
            Error::NotImplemented { field } => {
                (StatusCode::NOT_IMPLEMENTED, Code::NotImplemented, named("field", field.as_str()))
            }
            Error::Guest { subject, source } => guest_meaning(subject, source),
            Error::GuestSilent { .. } => (StatusCode::GATEWAY_TIMEOUT, Code::ExecFailed, None),
            Error::ExecTimeout { seconds } => {
                (StatusCode::GATEWAY_TIMEOUT, Code::ExecTimeout, object(json!({ "timeout_secs": seconds })))
            }
            Error::GrantNotFound { .. } => (StatusCode::NOT_FOUND, Code::PreviewGrantNotFound, None),
            Error::OperatorOnly => (StatusCode::FORBIDDEN, Code::Forbidden, None),
            Error::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, Code::InternalError, None),
        }
    }

    /// Writes down what the caller is not told.
    fn log(&self, status: StatusCode) {
        let unexplained = match self {
            Error::Guest { source, .. } => source.failure().is_none(),
            _ => status == StatusCode::INTERNAL_SERVER_ERROR,
        };
        if unexplained {
            let mut chain = self.to_string();
            let mut cause = self.source();
            while let Some(error) = cause {
                chain.push_str(": ");
                chain.push_str(&error.to_string());
                cause = error.source();
            }
            tracing::error!(error = %chain, "a request failed");
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, body) = self.describe();
        self.log(status);
        (status, Failed(body)).into_response()
    }
}

fn named(key: &str, value: impl Into<Value>) -> Option<Object> {
    Some(Object::from_iter([(key.to_owned(), value.into())]))
}

fn object(value: Value) -> Option<Object> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

fn engine_meaning(error: &engine::Error) -> (StatusCode, ErrorCode, Option<Object>) {
    use ErrorCode as Code;
    use StatusCode as Status;
    use engine::Error::*;
    match error {
        Unauthorized => (Status::UNAUTHORIZED, Code::Unauthorized, None),
        Forbidden { .. } => (Status::FORBIDDEN, Code::Forbidden, None),
        InvalidRequest { field, .. } => (Status::BAD_REQUEST, Code::InvalidRequest, named("field", field.as_str())),
        NotImplemented { field } => (Status::NOT_IMPLEMENTED, Code::NotImplemented, named("field", field.as_str())),
        // A tag that is not there makes the whole ref one that is not there.
        TemplateNotFound { .. } | TagNotFound { .. } => (Status::NOT_FOUND, Code::TemplateNotFound, None),
        BuildNotFound { .. } => (Status::NOT_FOUND, Code::TemplateBuildNotFound, None),
        SandboxNotFound { .. } => (Status::NOT_FOUND, Code::SandboxNotFound, None),
        WarmPoolNotFound { .. } => (Status::NOT_FOUND, Code::TemplateWarmPoolNotFound, None),
        TenantNotFound { .. } => (Status::NOT_FOUND, Code::TenantNotFound, None),
        KeyNotFound { .. } => (Status::NOT_FOUND, Code::KeyNotFound, None),
        ImageNotFound { .. } => (Status::NOT_FOUND, Code::ImageNotFound, None),
        WarmPoolUnavailable { pool, reason, waited_ms } => (
            Status::SERVICE_UNAVAILABLE,
            Code::WarmPoolUnavailable,
            object(json!({
                "warm_pool_id": pool,
                "reason": super::sandboxes::view::miss_reason(*reason),
                "waited_ms": waited_ms,
            })),
        ),
        TransitionInProgress => (Status::CONFLICT, Code::TransitionInProgress, None),
        IdempotencyConflict => (Status::CONFLICT, Code::Conflict, named("field", "Idempotency-Key")),
        SandboxNotReady { status, .. } => (Status::CONFLICT, Code::SandboxNotReady, named("status", status.as_str())),
        BuildNotPromotable { status, .. } => (Status::CONFLICT, Code::Conflict, named("status", status.as_str())),
        Conflict { .. } => (Status::CONFLICT, Code::Conflict, None),
        QuotaExceeded { .. } => (Status::TOO_MANY_REQUESTS, Code::QuotaExceeded, None),
        NoEligibleHost { .. } => (Status::SERVICE_UNAVAILABLE, Code::NoEligibleRuntimeHost, None),
        StartFailed { .. } => (Status::BAD_GATEWAY, Code::InternalError, None),
        Unresponsive { .. } => (Status::BAD_GATEWAY, Code::ExecFailed, None),
        FileUpload { .. } => (Status::BAD_REQUEST, Code::FileUploadError, None),
        BodyTooLarge { limit_bytes } => (
            Status::PAYLOAD_TOO_LARGE,
            Code::InvalidRequest,
            object(json!({ "field": "body", "limit_bytes": limit_bytes })),
        ),
        ImageUnauthorized { .. } => (Status::FORBIDDEN, Code::PermissionDenied, named("field", "source.password")),
        ImageInvalid { .. } => (Status::BAD_REQUEST, Code::InvalidRequest, named("field", "source")),
        ImageFailed { .. } => (Status::BAD_GATEWAY, Code::InternalError, None),
        Store(_) | Internal { .. } => (Status::INTERNAL_SERVER_ERROR, Code::InternalError, None),
    }
}

fn guest_meaning(subject: &Subject, error: &client::Error) -> (StatusCode, ErrorCode, Option<Object>) {
    use ErrorCode as Code;
    use StatusCode as Status;
    let failed = match subject {
        Subject::File(_) => Code::FileError,
        Subject::Port(_) => Code::PreviewUnavailable,
        Subject::Command | Subject::Process(_) | Subject::Machine => Code::ExecFailed,
    };
    let field = match subject {
        Subject::File(_) => "path",
        Subject::Process(_) => "pid",
        Subject::Port(_) => "port",
        Subject::Command | Subject::Machine => "command",
    };
    let Some(failure) = error.failure() else {
        return match error {
            client::Error::Source(_) => (Status::BAD_REQUEST, Code::InvalidRequest, named("field", "body")),
            _ => (Status::BAD_GATEWAY, failed, None),
        };
    };
    match failure.code {
        // A command's program has a code of its own; what else can be missing is where it should run.
        FailureCode::NotFound | FailureCode::NotDirectory if *subject == Subject::Command => {
            (Status::BAD_REQUEST, Code::InvalidRequest, named("field", "cwd"))
        }
        FailureCode::NotFound => {
            let code = match subject {
                Subject::File(_) => Code::FileNotFound,
                Subject::Process(_) => Code::ProcessNotFound,
                Subject::Command | Subject::Port(_) | Subject::Machine => Code::NotFound,
            };
            (Status::NOT_FOUND, code, named("field", field))
        }
        FailureCode::InvalidRequest | FailureCode::CannotExec => {
            (Status::BAD_REQUEST, Code::InvalidRequest, named("field", field))
        }
        FailureCode::NoShell => (Status::BAD_REQUEST, Code::InvalidRequest, named("field", "shell")),
        FailureCode::PermissionDenied => (Status::FORBIDDEN, Code::PermissionDenied, named("field", field)),
        FailureCode::AlreadyExists => (Status::CONFLICT, Code::Conflict, named("field", field)),
        FailureCode::IsDirectory | FailureCode::NotDirectory => {
            (Status::BAD_REQUEST, Code::FileError, named("field", field))
        }
        FailureCode::DiskFull => (Status::INSUFFICIENT_STORAGE, Code::FileError, None),
        FailureCode::ConnectionRefused => (Status::BAD_GATEWAY, Code::PreviewUnavailable, None),
        FailureCode::TooManyProcesses => (Status::SERVICE_UNAVAILABLE, Code::CapacityExceeded, None),
        FailureCode::Internal => (Status::BAD_GATEWAY, failed, None),
    }
}
