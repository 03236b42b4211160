//! `PUT /v1/templates/blobs/{blob_id}`: one context file, checked against what its id promises.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Path;
use crate::http::nullspace::Error;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use futures::TryStreamExt;
use std::io;

/// Uploads a context file.
#[utoipa::path(put, path = "/v1/templates/blobs/{blob_id}", tag = "builds", params(("blob_id" = String, Path)), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 204)))]
pub async fn put_blob(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<StatusCode, Error> {
    let content = body.into_data_stream().map_err(io::Error::other);
    app.engine.put_blob(&caller, &id, content).await?;
    Ok(StatusCode::NO_CONTENT)
}
