//! One frame of the exec socket, carried out.

use super::command::{self, Asked};
use super::guest;
use super::guest::within;
use super::process_kill::SIGKILL;
use super::utf8::Decoder;
use crate::engine::Caller;
use crate::http::App;
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use nullspace_api::ErrorCode;
use nullspace_api::frames::{ClientFrame, ServerFrame};
use nullspace_guest::client::{self, Event, Session};
use nullspace_guest::protocol;
use tokio::sync::mpsc;

/// Frames on their way to the client. A slow client slows the guest down, not the server's memory.
#[derive(Debug, Clone)]
pub struct Out(mpsc::Sender<ServerFrame>);

/// The socket is gone.
struct Gone;

impl Out {
    pub fn new(to: mpsc::Sender<ServerFrame>) -> Self {
        Self(to)
    }

    async fn send(&self, frame: ServerFrame) -> Result<(), Gone> {
        self.0.send(frame).await.map_err(|_| Gone)
    }

    pub async fn error(&self, id: Option<String>, code: ErrorCode, message: String) {
        // A client that is gone needs no error.
        let _ = self.send(ServerFrame::Error { id, message, code: Some(code) }).await;
    }
}

/// Carries out one client frame to its end.
pub async fn run(app: App, caller: Caller, sandbox: String, frame: ClientFrame, out: Out) {
    let id = match &frame {
        ClientFrame::ExecStart { id, .. }
        | ClientFrame::ExecConnect { id, .. }
        | ClientFrame::ExecStdin { id, .. }
        | ClientFrame::ExecStdinClose { id, .. }
        | ClientFrame::ExecKill { id, .. } => id.clone(),
    };
    if let Err(error) = act(&app, &caller, &sandbox, frame, &out).await {
        let (_, body) = error.describe();
        out.error(id, body.code, body.error).await;
    }
}

async fn act(app: &App, caller: &Caller, sandbox: &str, frame: ClientFrame, out: &Out) -> Result<(), Error> {
    let guest = guest::open(app, caller, sandbox).await?;
    match frame {
        ClientFrame::ExecStart { id, command, args, cwd, envs, shell, timeout_secs, background } => {
            let asked = Asked {
                command,
                args: args.unwrap_or_default(),
                cwd,
                envs: envs.unwrap_or_default(),
                shell: shell.unwrap_or(false),
                timeout_secs,
            };
            let composed = command::compose(asked, &guest.defaults)?;
            // The published client does not say whether it will stay, so the command never depends on it.
            let timeout_ms = if background == Some(true) { 0 } else { composed.timeout_ms };
            let command = protocol::Exec { background: true, stdin: true, timeout_ms, ..composed };
            let session = within(Subject::Command, client::exec(guest.stream, command)).await?;
            watch(session, id, out, Subject::Command).await
        }
        ClientFrame::ExecConnect { id, pid } => {
            let session = within(Subject::Process(pid), client::attach(guest.stream, pid)).await?;
            watch(session, id, out, Subject::Process(pid)).await
        }
        ClientFrame::ExecStdin { pid, data, .. } => {
            within(Subject::Process(pid), client::stdin(guest.stream, pid, data.into_bytes(), false)).await
        }
        ClientFrame::ExecStdinClose { pid, .. } => {
            within(Subject::Process(pid), client::stdin(guest.stream, pid, Vec::new(), true)).await
        }
        ClientFrame::ExecKill { pid, .. } => {
            within(Subject::Process(pid), client::kill(guest.stream, pid, SIGKILL)).await
        }
    }
}

/// Tells everything a process does, ending with `exec_exit`.
async fn watch<S: client::Pipe>(
    session: Session<S>,
    id: Option<String>,
    out: &Out,
    subject: Subject,
) -> Result<(), Error> {
    let Session { pid, mut events, stdin: _stdin } = session;
    let (mut stdout, mut stderr) = (Decoder::default(), Decoder::default());
    let mut sent = out.send(ServerFrame::ExecStarted { id: id.clone(), pid }).await;
    while sent.is_ok() {
        let id = id.clone();
        sent = match events.next().await.map_err(|error| subject.clone().failed(error))? {
            Event::Stdout(bytes) => match stdout.push(&bytes) {
                data if data.is_empty() => Ok(()),
                data => out.send(ServerFrame::ExecStdout { id, pid, data }).await,
            },
            Event::Stderr(bytes) => match stderr.push(&bytes) {
                data if data.is_empty() => Ok(()),
                data => out.send(ServerFrame::ExecStderr { id, pid, data }).await,
            },
            Event::Exit(exit) => {
                let _ = finish(out, id, pid, exit, stdout.finish(), stderr.finish()).await;
                return Ok(());
            }
        };
    }
    Ok(())
}

async fn finish(
    out: &Out,
    id: Option<String>,
    pid: u32,
    exit: protocol::Exit,
    stdout: String,
    stderr: String,
) -> Result<(), Gone> {
    if !stdout.is_empty() {
        out.send(ServerFrame::ExecStdout { id: id.clone(), pid, data: stdout }).await?;
    }
    if !stderr.is_empty() {
        out.send(ServerFrame::ExecStderr { id: id.clone(), pid, data: stderr }).await?;
    }
    if exit.timed_out {
        let message = "the command did not end in time and was killed".to_owned();
        out.error(id.clone(), ErrorCode::ExecTimeout, message).await;
    }
    out.send(ServerFrame::ExecExit { id, pid, exit_code: exit.code }).await
}
