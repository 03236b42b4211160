//! `PATCH /v1/template-warm-pools/{id}`: only what is there changes.

use super::create::seconds;
use super::view;
use crate::engine::{self, Caller};
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::warm_pools::{UpdateWarmPool, VersionPolicy, WarmPool};

/// Changes a pool.
#[utoipa::path(patch, path = "/v1/template-warm-pools/{id}", tag = "warm pools", params(("id" = String, Path)), responses((status = 200, body = WarmPool)))]
pub async fn update_warm_pool(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<UpdateWarmPool>,
) -> Result<Json<WarmPool>, Error> {
    let info = app.engine.update_warm_pool(&caller, &id, parse(body)?).await?;
    Ok(Json(view::warm_pool(&info)))
}

fn parse(body: UpdateWarmPool) -> Result<engine::UpdateWarmPool, Error> {
    let resources = body.resources.unwrap_or_default();
    Ok(engine::UpdateWarmPool {
        template_ref: body.template_ref.or(body.template),
        name: body.name,
        min_ready: body.min_ready,
        max_ready: body.max_ready,
        vcpus: resources.vcpus,
        memory_mb: resources.memory_mb,
        disk_mb: resources.disk_mb,
        idle_timeout: seconds("idle_timeout_seconds", body.idle_timeout_seconds)?,
        stale_after: seconds("stale_after_seconds", body.stale_after_seconds)?,
        checkout_policy: body.checkout_policy.map(view::parse_mode),
        track_tag_policy: body.version_policy.map(|policy| policy == VersionPolicy::TrackTag),
        track_tag: body.track_tag,
        labels: body.labels,
        metadata: body.metadata,
    })
}
