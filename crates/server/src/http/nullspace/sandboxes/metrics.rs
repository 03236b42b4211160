//! `GET /v1/sandboxes/{id}/metrics`: one sample, taken now.

use super::guest;
use super::guest::within;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use axum::extract::State;
use nullspace_api::Timestamp;
use nullspace_api::sandboxes::MetricsSample;
use nullspace_guest::client;

/// Measures a sandbox.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/metrics", tag = "sandboxes", params(("id" = String, Path)), responses((status = 200, body = Vec<MetricsSample>)))]
pub async fn sandbox_metrics(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<MetricsSample>>, Error> {
    let guest = guest::open(&app, &caller, &id).await?;
    let metrics = within(Subject::Machine, client::metrics(guest.stream)).await?;
    Ok(Json(vec![MetricsSample {
        timestamp: Timestamp::now(),
        // A guest may answer anything, and JSON knows no infinity.
        cpu_percent: if metrics.cpu_percent.is_finite() { metrics.cpu_percent } else { 0.0 },
        cpu_count: metrics.cpu_count,
        mem_used_bytes: metrics.mem_used_bytes,
        mem_total_bytes: metrics.mem_total_bytes,
        disk_used_bytes: metrics.disk_used_bytes,
        disk_total_bytes: metrics.disk_total_bytes,
        network_rx_bytes: metrics.network_rx_bytes,
        network_tx_bytes: metrics.network_tx_bytes,
    }]))
}
