//! `GET /v1/sandboxes/{id}/preview-urls`: the permissions that were given.

use super::{port, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::Timestamp;
use nullspace_api::preview::{GrantList, GrantQuery};

/// Lists preview grants, newest first.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/preview-urls", tag = "preview", params(("id" = String, Path), GrantQuery), responses((status = 200, body = GrantList)))]
pub async fn list_preview_urls(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<GrantQuery>,
) -> Result<Json<GrantList>, Error> {
    let at = query.port.map(port::parse).transpose()?;
    let sandbox = port::sandbox(&app, &caller, &id).await?;
    let now = Timestamp::now();
    let items = app.preview.list(&sandbox, at).iter().map(|grant| view::grant(grant, now)).collect();
    Ok(Json(GrantList { items }))
}
