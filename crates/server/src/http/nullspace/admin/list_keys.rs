//! `GET /v1/tenants/{slug}/keys`.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::admin::KeyList;

/// Lists a tenant's keys, without the keys.
#[utoipa::path(get, path = "/v1/tenants/{slug}/keys", tag = "tenants", params(("slug" = String, Path)), responses((status = 200, body = KeyList)))]
pub async fn list_keys(
    State(app): State<App>,
    caller: Caller,
    Path(slug): Path<String>,
) -> Result<Json<KeyList>, Error> {
    let keys = app.engine.list_keys(&caller, Some(&slug)).await?;
    Ok(Json(KeyList { items: keys.into_iter().map(view::key).collect() }))
}
