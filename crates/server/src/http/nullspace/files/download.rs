//! `GET /v1/sandboxes/{id}/file`: raw bytes, as they come.

use super::at;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Path, Query};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use nullspace_api::files::FileQuery;
use nullspace_guest::client;
use tokio_util::io::ReaderStream;

/// Downloads a file. There is no length header: a file may grow while it is read.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/file", tag = "files", params(("id" = String, Path), FileQuery), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn download_file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<FileQuery>,
) -> Result<Response, Error> {
    let at = at::open(&app, &caller, &id, query.user).await?;
    let path = at.path("path", &query.path)?;
    let user = at.user();
    let (_, content) = within(at::file(&path), client::read(at.stream, &path, user.as_deref())).await?;
    let body = Body::from_stream(ReaderStream::with_capacity(content, nullspace_guest::protocol::FRAME_MAX));
    Ok(([(CONTENT_TYPE, "application/octet-stream")], body).into_response())
}
