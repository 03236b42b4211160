//! `GET /v1/sandboxes/{id}/ports/{port}/preview-url`: a signed URL of the usual lifetime.

use super::{port, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::Timestamp;
use nullspace_api::preview::PreviewUrl;

/// Gets a port's preview URL.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/ports/{port}/preview-url", tag = "preview", params(("id" = String, Path), ("port" = u32, Path)), responses((status = 200, body = PreviewUrl)))]
pub async fn preview_url(
    State(app): State<App>,
    caller: Caller,
    Path((id, at)): Path<(String, u32)>,
) -> Result<Json<PreviewUrl>, Error> {
    let at = port::parse(at)?;
    let sandbox = port::sandbox(&app, &caller, &id).await?;
    let now = Timestamp::now();
    let signed = app.preview.sign_or_reuse(port::grant_id(), &sandbox, at, now).map_err(port::failed)?;
    Ok(Json(view::preview_url(&signed, now)))
}
