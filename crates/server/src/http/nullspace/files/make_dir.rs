//! `POST /v1/sandboxes/{id}/files/mkdir`: with its parents; one that exists is fine.

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

/// Makes a directory.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/mkdir", tag = "files", params(("id" = String, Path)), responses((status = 204)))]
pub async fn make_dir(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<PathRequest>,
) -> Result<StatusCode, Error> {
    let at = at::open(&app, &caller, &id, body.user).await?;
    let path = at.path("path", &body.path)?;
    let user = at.user();
    within(at::file(&path), client::mkdir(at.stream, &path, user.as_deref(), None)).await?;
    Ok(StatusCode::NO_CONTENT)
}
