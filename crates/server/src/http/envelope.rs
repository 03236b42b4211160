//! Around every request: an id, a log line, and one shape for every failure.
//!
//! A handler's error travels outwards as a [`Failed`] extension of the response; the body is written
//! here, where the request id is known. What axum answers by itself (unknown path, wrong method) has
//! no such extension and gets one.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use nullspace_api::{ErrorBody, ErrorCode};
use std::any::Any;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, info, info_span};

/// A failure on its way out of the router.
#[derive(Debug, Clone)]
pub struct Failed(pub ErrorBody);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = Response::new(axum::body::Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// The id of the request, for handlers that write an envelope into a stream.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    fn new() -> Self {
        Self(format!("req_{}", ulid::Ulid::generate().to_string().to_lowercase()))
    }
}

/// Puts the envelope around a router that answers everything itself.
pub fn wrap(router: Router) -> Router {
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(|request: Request, next: Next| async move { envelope(request, next, Unexplained::Ours).await }))
}

/// Puts the envelope around a router that passes on what others answer.
pub fn wrap_edge(router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(panicked)).layer(from_fn(|request: Request, next: Next| async move {
        envelope(request, next, Unexplained::Theirs).await
    }))
}

/// Whose a failure without an explanation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unexplained {
    /// It gets the one shape.
    Ours,
    /// A machine's own error page: it goes through as it is.
    Theirs,
}

/// An error body that says only what every error says.
pub fn body(code: ErrorCode, error: impl Into<String>) -> ErrorBody {
    ErrorBody {
        error: error.into(),
        code,
        request_id: None,
        retryable: None,
        suggested_action: None,
        details: None,
        error_detail: None,
        build_id: None,
    }
}

async fn envelope(mut request: Request, next: Next, unexplained: Unexplained) -> Response {
    let started = Instant::now();
    let id = RequestId::new();
    let method = request.method().clone();
    // The pattern, not the path: ids are fine in a log, but a path may hold anything.
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id.clone());
    let span = info_span!("request", request.id = %id.0);
    let mut response = next.run(request).instrument(span).await;
    let is_explained = response.extensions().get::<Failed>().is_some();
    if is_explained || (unexplained == Unexplained::Ours && response.status().as_u16() >= 400) {
        response = explain(response, &id);
    }
    let value = HeaderValue::from_str(&id.0).expect("a request id is letters and digits");
    response.headers_mut().insert("x-request-id", value);
    let status = response.status().as_u16();
    let ms = started.elapsed().as_secs_f64() * 1000.0;
    let route = route.as_ref().map_or("(no route)", MatchedPath::as_str);
    info!(%method, route, status, ms, request.id = %id.0, "{method} {route} answered {status} in {ms:.1} ms");
    response
}

fn explain(response: Response, id: &RequestId) -> Response {
    let (mut parts, _) = response.into_parts();
    let mut failure = match parts.extensions.remove::<Failed>() {
        Some(Failed(failure)) => failure,
        None => match parts.status {
            StatusCode::NOT_FOUND => body(ErrorCode::NotFound, "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                body(ErrorCode::MethodNotAllowed, "this path does not take this method; see the `allow` header")
            }
            status if status.is_server_error() => body(ErrorCode::InternalError, "the server failed"),
            _ => body(ErrorCode::InvalidRequest, "the request could not be understood"),
        },
    };
    failure.request_id = Some(id.0.clone());
    let json = serde_json::to_vec(&failure).expect("an error body is plain JSON");
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, axum::body::Body::from(json))
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "a request handler panicked");
    let failure = Failed(body(ErrorCode::InternalError, "the server failed"));
    (StatusCode::INTERNAL_SERVER_ERROR, failure).into_response()
}
