//! `POST /v1/sandboxes/{id}/files/info`.

use super::{at, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use nullspace_api::files::{FileInfo, PathRequest};
use nullspace_guest::client;

/// Says what is at a path. Links are not followed.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/info", tag = "files", params(("id" = String, Path)), responses((status = 200, body = FileInfo)))]
pub async fn file_info(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<PathRequest>,
) -> Result<Json<FileInfo>, Error> {
    let at = at::open(&app, &caller, &id, body.user).await?;
    let path = at.path("path", &body.path)?;
    let user = at.user();
    let file = within(at::file(&path), client::stat(at.stream, &path, user.as_deref())).await?;
    Ok(Json(view::file(file)))
}
