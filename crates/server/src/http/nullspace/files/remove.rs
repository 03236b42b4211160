//! `POST /v1/sandboxes/{id}/files/remove`: directories go with their contents.

use super::at;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::files::PathRequest;
use nullspace_guest::client;

/// Removes a file or directory.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/remove", tag = "files", params(("id" = String, Path)), responses((status = 204)))]
pub async fn remove_file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<PathRequest>,
) -> Result<StatusCode, Error> {
    let at = at::open(&app, &caller, &id, body.user).await?;
    let path = at.path("path", &body.path)?;
    let user = at.user();
    within(at::file(&path), client::remove(at.stream, &path, user.as_deref())).await?;
    Ok(StatusCode::NO_CONTENT)
}
