//! `POST /v1/sandboxes/{id}/files/rename`.

use super::{at, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use nullspace_api::files::{FileInfo, RenameFile};
use nullspace_guest::client;

/// Moves a file or directory.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/rename", tag = "files", params(("id" = String, Path)), responses((status = 200, body = FileInfo)))]
pub async fn rename_file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<RenameFile>,
) -> Result<Json<FileInfo>, Error> {
    let at = at::open(&app, &caller, &id, body.user).await?;
    let from = at.path("old_path", &body.old_path)?;
    let to = at.path("new_path", &body.new_path)?;
    let user = at.user();
    let file = within(at::file(&from), client::rename(at.stream, &from, &to, user.as_deref())).await?;
    Ok(Json(view::file(file)))
}
