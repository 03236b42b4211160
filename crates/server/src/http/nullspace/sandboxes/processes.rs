//! `GET /v1/sandboxes/{id}/processes`: those started through the API. Strict objects.

use super::guest;
use super::guest::within;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use axum::extract::State;
use nullspace_api::commands::Process;
use nullspace_guest::client;

/// Lists processes, running and ended.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/processes", tag = "commands", params(("id" = String, Path)), responses((status = 200, body = Vec<Process>)))]
pub async fn list_processes(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<Process>>, Error> {
    let guest = guest::open(&app, &caller, &id).await?;
    let processes = within(Subject::Command, client::processes(guest.stream)).await?;
    let view = |process: nullspace_guest::protocol::Process| Process {
        pid: process.pid,
        command: process.command,
        running: process.running,
    };
    Ok(Json(processes.into_iter().map(view).collect()))
}
