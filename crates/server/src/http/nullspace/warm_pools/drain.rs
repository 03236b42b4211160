//! `POST /v1/template-warm-pools/{id}/drain`: its ready members go at the controller's pace; sandboxes stay.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::warm_pools::WarmPool;

/// Drains a pool.
#[utoipa::path(post, path = "/v1/template-warm-pools/{id}/drain", tag = "warm pools", params(("id" = String, Path)), responses((status = 200, body = WarmPool)))]
pub async fn drain_warm_pool(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<WarmPool>, Error> {
    let info = app.engine.drain_warm_pool(&caller, &id).await?;
    Ok(Json(view::warm_pool(&info)))
}
