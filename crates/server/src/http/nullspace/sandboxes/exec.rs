//! `POST /v1/sandboxes/{id}/exec`: a command, waited for or left running.
//!
//! Published clients give up after 30 s without a byte, so the answer to a long command begins with
//! white space, which JSON allows. The status line is spoken for from then on: what goes wrong later
//! is told inside a `200`, with `code` and an exit code of 124 (timeout) or -1.

use super::command::{self, Asked};
use super::guest;
use super::guest::within;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::limits::{EXEC_GRACE, EXEC_SILENCE, KEEP_ALIVE, OUTPUT_MAX};
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use nullspace_api::commands::{Exec, ExecAnswer, ExecResult, Started};
use nullspace_guest::client;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

/// Runs a command in a sandbox.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/exec", tag = "commands", params(("id" = String, Path)), responses((status = 200, body = ExecAnswer)))]
pub async fn exec(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Exec>,
) -> Result<Response, Error> {
    let background = body.background.unwrap_or(false);
    let asked = Asked {
        command: body.command,
        args: body.args.unwrap_or_default(),
        cwd: body.cwd,
        envs: body.envs.unwrap_or_default(),
        shell: body.shell.unwrap_or(false),
        timeout_secs: body.timeout_secs,
    };
    let timeout = command::timeout(&asked)?;
    let guest = guest::open(&app, &caller, &id).await?;
    let mut composed = command::compose(asked, &guest.defaults)?;
    if background {
        // Clients always send a timeout, 30 s by default; it is how long they wait, and a server
        // that somebody starts in the background should live longer than that.
        composed.timeout_ms = 0;
        composed.stdin = true;
        let pid = within(Subject::Command, client::start(guest.stream, composed)).await?;
        return Ok(Json(Started { pid }).into_response());
    }
    let mut running: Running = Box::pin(run(guest.stream, composed, timeout));
    match tokio::time::timeout(EXEC_SILENCE, &mut running).await {
        Ok(result) => Ok(Json(result?).into_response()),
        Err(_) => Ok(with_white_space(running)),
    }
}

type Running = Pin<Box<dyn Future<Output = Result<ExecResult, Error>> + Send>>;

async fn run<S: client::Pipe + 'static>(
    stream: S,
    command: nullspace_guest::protocol::Exec,
    timeout: Option<Duration>,
) -> Result<ExecResult, Error> {
    let running = client::run(stream, command, OUTPUT_MAX);
    // The agent kills on timeout; the second deadline is for an agent that does not.
    let finished = match timeout {
        Some(timeout) => match tokio::time::timeout(timeout + EXEC_GRACE, running).await {
            Ok(finished) => finished,
            Err(_) => return Err(Error::GuestSilent { subject: Subject::Command }),
        },
        None => running.await,
    };
    let finished = finished.map_err(|error| Subject::Command.failed(error))?;
    if finished.exit.timed_out {
        return Err(Error::ExecTimeout { seconds: timeout.unwrap_or_default().as_secs() });
    }
    let mut stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
    if finished.truncated {
        stderr.push_str("\n[output beyond 16 MiB was dropped]\n");
    }
    Ok(ExecResult {
        exit_code: finished.exit.code,
        stdout: String::from_utf8_lossy(&finished.stdout).into_owned(),
        stderr,
        pid: Some(finished.pid),
        error: None,
        code: None,
    })
}

/// A chunked answer that begins with a space every 10 s. Dropping it kills the command.
fn with_white_space(running: Running) -> Response {
    let body = stream::unfold(Some(running), |running| async move {
        let mut running = running?;
        let piece = |bytes: Bytes| Ok::<_, Infallible>(bytes);
        match tokio::time::timeout(KEEP_ALIVE, &mut running).await {
            Err(_) => Some((piece(Bytes::from_static(b" ")), Some(running))),
            Ok(result) => {
                let result = result.unwrap_or_else(|error| late(&error));
                let json = serde_json::to_vec(&result).expect("an answer is plain JSON");
                Some((piece(json.into()), None))
            }
        }
    });
    let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b" ")) });
    ([(CONTENT_TYPE, "application/json")], Body::from_stream(futures::StreamExt::chain(first, body))).into_response()
}

/// A failure that comes too late for a status.
fn late(error: &Error) -> ExecResult {
    let (_, body) = error.describe();
    let exit_code = if matches!(error, Error::ExecTimeout { .. }) { 124 } else { -1 };
    ExecResult {
        exit_code,
        stdout: String::new(),
        stderr: body.error.clone(),
        pid: None,
        error: Some(body.error),
        code: Some(body.code),
    }
}
