//! `GET /v1/template-warm-pools/{id}/status`: the counts alone.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::warm_pools::PoolCounts;

/// Counts a pool's members.
#[utoipa::path(get, path = "/v1/template-warm-pools/{id}/status", tag = "warm pools", params(("id" = String, Path)), responses((status = 200, body = PoolCounts)))]
pub async fn warm_pool_status(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PoolCounts>, Error> {
    let info = app.engine.get_warm_pool(&caller, &id).await?;
    Ok(Json(view::counts(&info.counts)))
}
