//! `POST /v1/tenants`.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::admin::{CreateTenant, Tenant};

/// Creates a tenant; its slug is its template namespace.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", responses((status = 201, body = Tenant)))]
pub async fn create_tenant(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CreateTenant>,
) -> Result<(StatusCode, Json<Tenant>), Error> {
    let tenant = app.engine.create_tenant(&caller, &body.slug).await?;
    Ok((StatusCode::CREATED, Json(view::tenant(tenant))))
}
