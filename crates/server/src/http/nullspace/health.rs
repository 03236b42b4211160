//! `GET /healthz`: requests are served. No key needed.

use crate::http::extract::Json;
use nullspace_api::admin::Health;

/// Says that requests are served.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Health)), security(()))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok".into() })
}
