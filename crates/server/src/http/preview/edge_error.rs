//! What the edge answers when it cannot pass a request on: the same error shape as the API.

use crate::engine;
use crate::http::envelope::{self, Failed};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nullspace_api::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error("there is no sandbox port at this address")]
    NoPlace,
    #[error("this address needs an `edge_token`")]
    TokenMissing,
    #[error("the `edge_token` has expired")]
    TokenExpired,
    #[error("the `edge_token` is not valid")]
    TokenInvalid,
    #[error("the `edge_token` is for another sandbox or port")]
    ScopeMismatch,
    #[error("this permission was revoked")]
    Revoked,
    #[error("the sandbox cannot be reached")]
    Sandbox(#[source] engine::Error),
    #[error("nothing answers on this port of the sandbox")]
    Refused(#[source] nullspace_guest::client::Error),
    #[error("the sandbox's server did not answer as HTTP says")]
    Broken(#[source] hyper::Error),
    #[error("the sandbox's server did not begin to answer in time")]
    Silent,
}

impl IntoResponse for EdgeError {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            EdgeError::NoPlace => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
            EdgeError::TokenMissing => (StatusCode::UNAUTHORIZED, ErrorCode::EdgeTokenMissing),
            EdgeError::TokenExpired => (StatusCode::UNAUTHORIZED, ErrorCode::EdgeTokenExpired),
            EdgeError::TokenInvalid => (StatusCode::UNAUTHORIZED, ErrorCode::EdgeTokenInvalid),
            EdgeError::ScopeMismatch => (StatusCode::FORBIDDEN, ErrorCode::EdgeTokenScopeMismatch),
            EdgeError::Revoked => (StatusCode::FORBIDDEN, ErrorCode::PreviewGrantRevoked),
            EdgeError::Sandbox(engine::Error::SandboxNotFound { .. }) => {
                (StatusCode::NOT_FOUND, ErrorCode::SandboxNotFound)
            }
            EdgeError::Sandbox(engine::Error::SandboxNotReady { .. }) => {
                (StatusCode::CONFLICT, ErrorCode::SandboxNotReady)
            }
            EdgeError::Sandbox(_) | EdgeError::Refused(_) | EdgeError::Broken(_) => {
                (StatusCode::BAD_GATEWAY, ErrorCode::PreviewUnavailable)
            }
            EdgeError::Silent => (StatusCode::GATEWAY_TIMEOUT, ErrorCode::PreviewUnavailable),
        };
        (status, Failed(envelope::body(code, self.to_string()))).into_response()
    }
}
