//! `POST /v1/template-warm-pools`: enabled from the start; its members follow.

use super::view;
use crate::engine::{self, Caller};
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::warm_pools::{CreateWarmPool, VersionPolicy, WarmPool};
use std::time::Duration;

/// Sizes when nobody says (spec warm-pools §3.1).
const VCPUS_DEFAULT: u32 = 2;
const MEMORY_MB_DEFAULT: u32 = 512;

/// Creates a pool.
#[utoipa::path(post, path = "/v1/template-warm-pools", tag = "warm pools", responses((status = 201, body = WarmPool)))]
pub async fn create_warm_pool(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CreateWarmPool>,
) -> Result<(StatusCode, Json<WarmPool>), Error> {
    let info = app.engine.create_warm_pool(&caller, parse(body)?).await?;
    Ok((StatusCode::CREATED, Json(view::warm_pool(&info))))
}

fn parse(body: CreateWarmPool) -> Result<engine::CreateWarmPool, Error> {
    let required = |field: &str| Error::invalid(field, format!("`{field}` is required"));
    if body.host_pool_id.is_some() || body.cell_id.is_some() {
        return Err(Error::not_implemented("host_pool_id"));
    }
    let resources = body.resources.unwrap_or_default();
    Ok(engine::CreateWarmPool {
        template_ref: body.template_ref.or(body.template).ok_or_else(|| required("template_ref"))?,
        name: body.name.ok_or_else(|| required("name"))?,
        min_ready: body.min_ready.ok_or_else(|| required("min_ready"))?,
        max_ready: body.max_ready.ok_or_else(|| required("max_ready"))?,
        vcpus: resources.vcpus.unwrap_or(VCPUS_DEFAULT),
        memory_mb: resources.memory_mb.unwrap_or(MEMORY_MB_DEFAULT),
        disk_mb: resources.disk_mb,
        idle_timeout: seconds("idle_timeout_seconds", body.idle_timeout_seconds)?,
        stale_after: seconds("stale_after_seconds", body.stale_after_seconds)?,
        checkout_policy: body.checkout_policy.map(view::parse_mode),
        track_tag_policy: body.version_policy == Some(VersionPolicy::TrackTag),
        track_tag: body.track_tag,
        labels: body.labels.unwrap_or_default(),
        metadata: body.metadata.unwrap_or_default(),
    })
}

/// At least one second, at most what a date can hold.
pub fn seconds(field: &str, given: Option<u64>) -> Result<Option<Duration>, Error> {
    const MAX: u64 = 10 * 366 * 24 * 3600;
    match given {
        Some(seconds) if !(1..=MAX).contains(&seconds) => {
            Err(Error::invalid(field, format!("`{field}` is 1 to {MAX} seconds")))
        }
        given => Ok(given.map(Duration::from_secs)),
    }
}
