//! `GET /v1/tenants`.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::admin::TenantList;

/// Lists tenants.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", responses((status = 200, body = TenantList)))]
pub async fn list_tenants(State(app): State<App>, caller: Caller) -> Result<Json<TenantList>, Error> {
    let tenants = app.engine.list_tenants(&caller).await?;
    Ok(Json(TenantList { items: tenants.into_iter().map(view::tenant).collect() }))
}
