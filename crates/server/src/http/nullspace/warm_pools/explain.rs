//! `GET /v1/template-warm-pools/{id}/explain`: why the pool is as it is.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::warm_pools::{Degradation, PoolExplanation};

/// Says why a pool is as it is, in sentences.
#[utoipa::path(get, path = "/v1/template-warm-pools/{id}/explain", tag = "warm pools", params(("id" = String, Path)), responses((status = 200, body = PoolExplanation)))]
pub async fn explain_warm_pool(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PoolExplanation>, Error> {
    let notes = app.engine.explain_warm_pool(&caller, &id).await?;
    let info = app.engine.get_warm_pool(&caller, &id).await?;
    Ok(Json(PoolExplanation {
        notes,
        observed_at: info.pool.last_reconciled_at,
        degraded: info.pool.degraded.as_ref().map(|degraded| Degradation {
            reason: view::degraded_reason(degraded.reason),
            evidence: degraded.evidence.clone(),
            since: degraded.since,
        }),
        pool: view::warm_pool(&info),
    }))
}
