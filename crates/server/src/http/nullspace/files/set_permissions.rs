//! `POST /v1/sandboxes/{id}/files/permissions`.

use super::at;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::builds::request::octal;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::files::SetPermissions;
use nullspace_guest::client;

/// Changes permission bits.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/permissions", tag = "files", params(("id" = String, Path)), responses((status = 204)))]
pub async fn set_permissions(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<SetPermissions>,
) -> Result<StatusCode, Error> {
    let mode = octal(&body.permissions)
        .ok_or_else(|| Error::invalid("permissions", "`permissions` is three or four octal digits"))?;
    let at = at::open(&app, &caller, &id, body.user).await?;
    let path = at.path("path", &body.path)?;
    let user = at.user();
    within(at::file(&path), client::chmod(at.stream, &path, mode, user.as_deref())).await?;
    Ok(StatusCode::NO_CONTENT)
}
