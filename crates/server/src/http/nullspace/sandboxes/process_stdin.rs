//! `POST /v1/sandboxes/{id}/processes/{pid}/stdin`: text for a background process.

use super::guest;
use super::guest::within;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::commands::StdinData;
use nullspace_guest::client;

/// Writes to a process's standard input.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/processes/{pid}/stdin", tag = "commands", params(("id" = String, Path), ("pid" = u32, Path)), responses((status = 204)))]
pub async fn write_stdin(
    State(app): State<App>,
    caller: Caller,
    Path((id, pid)): Path<(String, u32)>,
    Json(body): Json<StdinData>,
) -> Result<StatusCode, Error> {
    let guest = guest::open(&app, &caller, &id).await?;
    within(Subject::Process(pid), client::stdin(guest.stream, pid, body.data.into_bytes(), false)).await?;
    Ok(StatusCode::NO_CONTENT)
}
