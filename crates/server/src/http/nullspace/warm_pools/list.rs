//! `GET /v1/template-warm-pools`: deleted pools only when asked for.

use super::view;
use crate::engine::{Caller, PoolFilter};
use crate::http::App;
use crate::http::extract::{Json, Query};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::warm_pools::{PoolHealth, PoolState, WarmPoolList, WarmPoolListQuery};
use nullspace_domain::warm_pool as domain;

/// Lists pools; every condition given must hold.
#[utoipa::path(get, path = "/v1/template-warm-pools", tag = "warm pools", params(WarmPoolListQuery), responses((status = 200, body = WarmPoolList)))]
pub async fn list_warm_pools(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WarmPoolListQuery>,
) -> Result<Json<WarmPoolList>, Error> {
    let pools = app.engine.list_warm_pools(&caller, filter(query)?).await?;
    Ok(Json(WarmPoolList { items: pools.iter().map(view::warm_pool).collect() }))
}

fn filter(query: WarmPoolListQuery) -> Result<PoolFilter, Error> {
    if query.limit == Some(0) {
        return Err(Error::invalid("limit", "`limit` is at least 1"));
    }
    let labels = query.label.iter().map(|label| match label.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(Error::invalid("label", "`label` is KEY=VALUE")),
    });
    Ok(PoolFilter {
        template: query.template,
        state: query.state.map(|state| match state {
            PoolState::Enabled => domain::PoolState::Enabled,
            PoolState::Disabled => domain::PoolState::Disabled,
            PoolState::Draining => domain::PoolState::Draining,
            PoolState::Deleted => domain::PoolState::Deleted,
        }),
        labels: labels.collect::<Result<_, _>>()?,
        status: query.status.map(|health| {
            match health {
                PoolHealth::Ready => "ready",
                PoolHealth::Warming => "warming",
                PoolHealth::Degraded => "degraded",
                PoolHealth::Draining => "draining",
                PoolHealth::Unavailable => "unavailable",
            }
            .to_owned()
        }),
        limit: query.limit,
    })
}
