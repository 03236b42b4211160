//! `POST /v1/sandboxes/{id}/processes/{pid}/kill`: the process and its group.

use super::guest;
use super::guest::within;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Path;
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_guest::client;

/// SIGKILL: what the published "kill" means.
pub const SIGKILL: i32 = 9;

/// Kills a process.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/processes/{pid}/kill", tag = "commands", params(("id" = String, Path), ("pid" = u32, Path)), responses((status = 204)))]
pub async fn kill_process(
    State(app): State<App>,
    caller: Caller,
    Path((id, pid)): Path<(String, u32)>,
) -> Result<StatusCode, Error> {
    let guest = guest::open(&app, &caller, &id).await?;
    within(Subject::Process(pid), client::kill(guest.stream, pid, SIGKILL)).await?;
    Ok(StatusCode::NO_CONTENT)
}
