//! `GET /v1/sandboxes/{id}/processes/{pid}/logs`: everything from the first byte, also after the end.

use super::guest;
use super::guest::within;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use axum::extract::State;
use nullspace_api::commands::ProcessLogs;
use nullspace_guest::client::{self, Event};
use nullspace_guest::protocol::LOG_MAX;

/// Room for the agent's own marker after a full log.
const LOG_ROOM: usize = LOG_MAX + 64 * 1024;

/// Gets a process's output so far.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/processes/{pid}/logs", tag = "commands", params(("id" = String, Path), ("pid" = u32, Path)), responses((status = 200, body = ProcessLogs)))]
pub async fn process_logs(
    State(app): State<App>,
    caller: Caller,
    Path((id, pid)): Path<(String, u32)>,
) -> Result<Json<ProcessLogs>, Error> {
    let guest = guest::open(&app, &caller, &id).await?;
    let logs = within(Subject::Process(pid), collect(guest.stream, pid)).await?;
    Ok(Json(logs))
}

async fn collect<S: client::Pipe>(stream: S, pid: u32) -> Result<ProcessLogs, client::Error> {
    let mut logs = client::logs(stream, pid).await?;
    let (mut stdout, mut stderr, mut output) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(event) = logs.next().await? {
        let (one, bytes) = match event {
            Event::Stdout(bytes) => (&mut stdout, bytes),
            Event::Stderr(bytes) => (&mut stderr, bytes),
            Event::Exit(_) => continue,
        };
        // The agent keeps to the bound; a guest that does not is cut off.
        if output.len() + bytes.len() > LOG_ROOM {
            break;
        }
        one.extend_from_slice(&bytes);
        output.extend_from_slice(&bytes);
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(ProcessLogs {
        stdout: text(stdout),
        stderr: text(stderr),
        output: text(output),
        exit_code: logs.exit.map(|exit| exit.code),
    })
}
