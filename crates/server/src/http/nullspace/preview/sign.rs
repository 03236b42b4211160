//! `POST /v1/sandboxes/{id}/ports/{port}/signed-preview-url`: a lifetime of the caller's choice.

use super::{port, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, OptionalJson, Path};
use crate::http::nullspace::Error;
use crate::http::preview::LIFETIME_DEFAULT;
use axum::extract::State;
use nullspace_api::Timestamp;
use nullspace_api::preview::{PreviewUrl, SignPreview};
use std::time::Duration;

/// Signs a preview URL; lifetimes are brought between a minute and a day.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/ports/{port}/signed-preview-url", tag = "preview", params(("id" = String, Path), ("port" = u32, Path)), request_body = Option<SignPreview>, responses((status = 200, body = PreviewUrl)))]
pub async fn sign_preview(
    State(app): State<App>,
    caller: Caller,
    Path((id, at)): Path<(String, u32)>,
    OptionalJson(body): OptionalJson<SignPreview>,
) -> Result<Json<PreviewUrl>, Error> {
    let at = port::parse(at)?;
    let sandbox = port::sandbox(&app, &caller, &id).await?;
    let lifetime = body.expires_in_seconds.map_or(LIFETIME_DEFAULT, Duration::from_secs);
    let now = Timestamp::now();
    let signed = app.preview.sign(port::grant_id(), &sandbox, at, lifetime, now).map_err(port::failed)?;
    Ok(Json(view::preview_url(&signed, now)))
}
