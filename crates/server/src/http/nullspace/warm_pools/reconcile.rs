//! `POST /v1/template-warm-pools/{id}/reconcile`: answers after a pass that began after the call.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::warm_pools::WarmPool;

/// Runs the controller for a pool.
#[utoipa::path(post, path = "/v1/template-warm-pools/{id}/reconcile", tag = "warm pools", params(("id" = String, Path)), responses((status = 200, body = WarmPool)))]
pub async fn reconcile_warm_pool(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WarmPool>, Error> {
    let info = app.engine.reconcile_warm_pool(&caller, &id).await?;
    Ok(Json(view::warm_pool(&info)))
}
