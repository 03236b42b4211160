//! One stream: reads its request and answers it.

use super::log::Cursor;
use super::table::{Next, Process as Known};
use super::{Agent, disk, fail, files, metrics, probe, process, renew, shutdown, transfer, tunnel};
use crate::frame::{self, FrameReader};
use crate::link::GuestStream;
use crate::protocol::{
    Exec, FRAME_MAX, Failure, FailureCode, FrameKind, Process, REQUEST_MAX, Request, Response, TEXT_MAX, start_of,
};
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

/// Frames of one stream, seen from the guest.
pub type Frames = FrameReader<GuestStream>;

/// Frames of input that wait for a process that does not read.
const STDIN_WAITING: usize = 16;

/// Answers one stream to its end.
pub async fn stream(agent: Arc<Agent>, stream: GuestStream) {
    let mut frames = FrameReader::with_max(stream, REQUEST_MAX);
    let Ok(Some(frame)) = frames.next().await else { return };
    // An answer that cannot be given has nobody waiting for it.
    let _ = match serde_json::from_slice(&frame.payload) {
        Ok(request) if frame.kind == FrameKind::Control => answer(&agent, request, frames).await,
        Ok(_) => respond(&mut frames, Err(invalid("the first frame is not a request"))).await,
        Err(error) => respond(&mut frames, Err(invalid(&format!("the request cannot be understood: {error}")))).await,
    };
}

async fn answer(agent: &Arc<Agent>, request: Request, mut frames: Frames) -> Result<(), frame::Error> {
    match request {
        Request::Exec(exec) => return start(agent, exec, frames).await,
        Request::Attach { pid } => return attach(agent, pid, frames).await,
        Request::Logs { pid } => return logs(agent, pid, frames).await,
        Request::Read { path, user } => return transfer::read(&path, user.as_deref(), frames).await,
        Request::Write { path, user, mode } => return transfer::write(&path, user.as_deref(), mode, frames).await,
        Request::Unpack { dst, user } => return transfer::unpack(&dst, user.as_deref(), frames).await,
        Request::Tunnel { port } => return tunnel::run(port, frames).await,
        Request::Shutdown => {
            respond(&mut frames, Ok(Response::Done)).await?;
            shutdown::run(agent).await;
            return Ok(());
        }
        _ => {}
    }
    let responses = tokio::select! {
        responses = simple(agent, request) => responses,
        // Whoever hangs up does not want the answer, nor what it takes to make one.
        _ = frames.next() => return Ok(()),
    };
    match responses {
        Ok(responses) => {
            for response in responses {
                respond(&mut frames, Ok(response)).await?;
            }
            Ok(())
        }
        Err(failure) => respond(&mut frames, Err(failure)).await,
    }
}

/// Requests that are answered at the end of what they ask for.
async fn simple(agent: &Arc<Agent>, request: Request) -> Result<Vec<Response>, Failure> {
    let done = |()| vec![Response::Done];
    let table = || agent.table.lock().expect("no panic under this lock");
    match request {
        Request::Ping => Ok(vec![Response::Pong {
            agent_version: env!("CARGO_PKG_VERSION").into(),
            uptime_ms: agent.started.elapsed().as_millis() as u64,
        }]),
        Request::Processes => Ok(processes(agent)),
        Request::Kill { pid, signal } => {
            let process = table().get(pid)?;
            if !(1..=64).contains(&signal) {
                return Err(invalid(&format!("there is no signal {signal}")));
            }
            if !process.signal(signal) {
                return Err(fail(FailureCode::NotFound, format!("process {pid} has ended")));
            }
            Ok(done(()))
        }
        Request::Stdin { pid, data, close } => {
            let process = table().get(pid)?;
            feed(&process, &data, close).await.map(done)
        }
        Request::List { path, depth, user } => files::list(&path, depth, user.as_deref()).await,
        Request::Stat { path, user } => files::stat(&path, user.as_deref()).await.map(file),
        Request::Remove { path, user } => files::remove(&path, user.as_deref()).await.map(done),
        Request::Rename { from, to, user } => files::rename(&from, &to, user.as_deref()).await.map(file),
        Request::Mkdir { path, user, mode } => files::mkdir(&path, user.as_deref(), mode).await.map(done),
        Request::Chmod { path, mode, user } => files::chmod(&path, mode, user.as_deref()).await.map(done),
        Request::Probe(probe) => probe::run(agent, probe).await.map(|response| vec![response]),
        Request::Freeze => renew::freeze(agent).await.map(done),
        Request::Renew(renew) => renew::renew(agent, renew).await.map(|response| vec![response]),
        Request::FreezeDisk => disk::freeze(agent).await.map(done),
        Request::ThawDisk => disk::thaw(agent).await.map(done),
        Request::GrowRoot => disk::grow(agent).await.map(done),
        Request::Metrics => metrics::measure().await.map(|metrics| vec![Response::Metrics { metrics }]),
        Request::SetTime { unix_nanos } => renew::set_time(agent, unix_nanos).map(done),
        Request::Exec(_)
        | Request::Attach { .. }
        | Request::Logs { .. }
        | Request::Read { .. }
        | Request::Write { .. }
        | Request::Unpack { .. }
        | Request::Tunnel { .. }
        | Request::Shutdown => unreachable!("answered by `answer`"),
    }
}

fn file(file: crate::protocol::File) -> Vec<Response> {
    vec![Response::File { file }]
}

async fn start(agent: &Arc<Agent>, exec: Exec, mut frames: Frames) -> Result<(), frame::Error> {
    let process = match process::start(agent, &exec, process::Listing::Listed) {
        Ok(process) => process,
        Err(failure) => return respond(&mut frames, Err(failure)).await,
    };
    // From here on, every way out ends a foreground process.
    let _foreground = (!exec.background).then(|| process::KillOnDrop(&process));
    respond(&mut frames, Ok(Response::Started { pid: process.pid })).await?;
    if exec.attach {
        return watch(&process, frames).await;
    }
    if !exec.background {
        // Nobody watches, but the stream is its life line.
        tokio::select! {
            _ = process::finish(&process) => {}
            _ = frames.next() => {}
        }
    }
    Ok(())
}

async fn attach(agent: &Arc<Agent>, pid: u32, mut frames: Frames) -> Result<(), frame::Error> {
    let found = agent.table.lock().expect("no panic under this lock").get(pid);
    match found {
        Ok(process) => {
            respond(&mut frames, Ok(Response::Started { pid })).await?;
            watch(&process, frames).await
        }
        Err(failure) => respond(&mut frames, Err(failure)).await,
    }
}

/// Sends what a process does, and gives it what comes in, until it ends or the host hangs up.
async fn watch(process: &Known, frames: Frames) -> Result<(), frame::Error> {
    let (frames, to) = frames.split();
    // A process that does not read must not keep a hang-up from being seen, so some input may wait.
    let (input, waiting) = mpsc::channel(STDIN_WAITING);
    tokio::select! {
        result = report(process, to) => result,
        result = receive(frames, input) => result,
        () = pass_on(process, waiting) => Ok(()),
    }
}

async fn report(process: &Known, mut to: WriteHalf<GuestStream>) -> Result<(), frame::Error> {
    let mut cursor = Cursor::default();
    loop {
        match process::next(process, &mut cursor).await {
            Next::Output(kind, bytes) => frame::write(&mut to, kind, &bytes).await?,
            Next::Exit(exit) => {
                let json = serde_json::to_vec(&exit).expect("an exit is always JSON");
                return frame::write(&mut to, FrameKind::Exit, &json).await;
            }
            Next::Nothing => unreachable!("`next` waits for something"),
        }
    }
}

async fn receive(
    mut frames: FrameReader<ReadHalf<GuestStream>>,
    input: mpsc::Sender<bytes::Bytes>,
) -> Result<(), frame::Error> {
    while let Some(frame) = frames.next().await? {
        if frame.kind == FrameKind::Data && input.send(frame.payload).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Never ends by itself: a process that takes no more input is still watched.
async fn pass_on(process: &Known, mut waiting: mpsc::Receiver<bytes::Bytes>) {
    while let Some(bytes) = waiting.recv().await {
        // What a process does not want is dropped, as a broken pipe would.
        let _ = feed(process, &bytes, bytes.is_empty()).await;
    }
    std::future::pending().await
}

async fn feed(process: &Known, data: &[u8], close: bool) -> Result<(), Failure> {
    let mut stdin = process.stdin.lock().await;
    let Some(open) = stdin.as_mut() else {
        return Err(invalid(&format!("process {} takes no input", process.pid)));
    };
    let written = open.write_all(data).await;
    if close || written.is_err() {
        stdin.take();
    }
    written.map_err(|error| super::os(&error, format_args!("write to process {}", process.pid)))
}

fn processes(agent: &Agent) -> Vec<Response> {
    let table = agent.table.lock().expect("no panic under this lock");
    let all = table.all().map(|process| Process {
        pid: process.pid,
        command: process.command.clone(),
        running: process.exit().is_none(),
    });
    let parts = in_parts(all);
    let last = parts.len() - 1;
    let numbered = parts.into_iter().enumerate();
    numbered.map(|(number, processes)| Response::Processes { processes, more: number < last }).collect()
}

async fn logs(agent: &Arc<Agent>, pid: u32, mut frames: Frames) -> Result<(), frame::Error> {
    let found = agent.table.lock().expect("no panic under this lock").get(pid);
    let process = match found {
        Ok(process) => process,
        Err(failure) => return respond(&mut frames, Err(failure)).await,
    };
    respond(&mut frames, Ok(Response::Logs { exit: process.exit() })).await?;
    let mut cursor = Cursor::default();
    while let Next::Output(kind, bytes) = process.next(&mut cursor) {
        frame::write(frames.get_mut(), kind, &bytes).await?;
    }
    frame::write(frames.get_mut(), FrameKind::Data, &[]).await
}

/// Cuts a list into parts that each fit a frame; there is at least one.
pub fn in_parts<T: serde::Serialize>(all: impl Iterator<Item = T>) -> Vec<Vec<T>> {
    // The rest of the frame is for what is around the list.
    let room = FRAME_MAX - 1024;
    let mut parts = vec![Vec::new()];
    let mut used = 0;
    for item in all {
        let length = serde_json::to_vec(&item).map_or(0, |json| json.len() + 1);
        if used + length > room {
            parts.push(Vec::new());
            used = 0;
        }
        used += length;
        parts.last_mut().expect("there is at least one").push(item);
    }
    parts
}

/// Sends one response.
pub async fn respond(frames: &mut Frames, result: Result<Response, Failure>) -> Result<(), frame::Error> {
    respond_to(frames.get_mut(), result).await
}

/// Sends one response.
pub async fn respond_to<W: AsyncWrite + Unpin>(
    to: &mut W,
    result: Result<Response, Failure>,
) -> Result<(), frame::Error> {
    let response = result.unwrap_or_else(|error| {
        // It may name something that was as long as a request can be.
        let message = start_of(&error.message, TEXT_MAX).to_owned();
        Response::Failed { error: Failure { message, ..error } }
    });
    let json = serde_json::to_vec(&response).expect("a response is always JSON");
    frame::write(to, FrameKind::Control, &json).await
}

fn invalid(message: &str) -> Failure {
    fail(FailureCode::InvalidRequest, message)
}
