//! `PUT /v1/sandboxes/{id}/file`: raw bytes of any length; the file appears whole or not at all.

use super::at;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Path, Query};
use crate::http::nullspace::Error;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use futures::TryStreamExt;
use nullspace_api::files::FileQuery;
use nullspace_guest::client;
use std::io;
use tokio_util::io::StreamReader;

/// Uploads a file. The guest's own disk is the limit.
#[utoipa::path(put, path = "/v1/sandboxes/{id}/file", tag = "files", params(("id" = String, Path), FileQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 204)))]
pub async fn upload_file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<FileQuery>,
    body: Body,
) -> Result<StatusCode, Error> {
    let at = at::open(&app, &caller, &id, query.user).await?;
    let path = at.path("path", &query.path)?;
    let user = at.user();
    let content = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    // As long as bytes flow it may take its time; a client that stops sending is cut by its connection.
    client::write(at.stream, &path, user.as_deref(), None, content)
        .await
        .map_err(|error| at::file(&path).failed(error))?;
    Ok(StatusCode::NO_CONTENT)
}
