//! `POST /v1/template-warm-pools/{id}/enable`: refilled and served again.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::warm_pools::WarmPool;

/// Enables a pool.
#[utoipa::path(post, path = "/v1/template-warm-pools/{id}/enable", tag = "warm pools", params(("id" = String, Path)), responses((status = 200, body = WarmPool)))]
pub async fn enable_warm_pool(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WarmPool>, Error> {
    let info = app.engine.enable_warm_pool(&caller, &id).await?;
    Ok(Json(view::warm_pool(&info)))
}
