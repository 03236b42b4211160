//! Running programs in a guest, from the host.

use super::{Error, Pipe, answer, call, done, parse, unexpected};
use crate::frame::{self, Frame, FrameReader};
use crate::protocol::{Exec, Exit, FRAME_MAX, FrameKind, PROCESSES_MAX, Process, Request, Response, TEXT_MAX};
use bytes::Bytes;
use tokio::io::{AsyncRead, ReadHalf, WriteHalf};

/// Something a process did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Stdout(Bytes),
    Stderr(Bytes),
    /// It ended. Nothing follows.
    Exit(Exit),
}

/// A process that ended, with what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub pid: u32,
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Output beyond the bound was dropped.
    pub truncated: bool,
}

/// Runs a program in the foreground and collects its output, keeping at most `keep` bytes of each
/// stream. Dropping the future kills the program.
pub async fn run<S: Pipe>(stream: S, command: Exec, keep: usize) -> Result<Finished, Error> {
    let mut session = exec(stream, Exec { background: false, stdin: false, ..command }).await?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut truncated = false;
    let mut collect = |into: &mut Vec<u8>, bytes: Bytes| {
        let room = keep.saturating_sub(into.len()).min(bytes.len());
        truncated |= room < bytes.len();
        into.extend_from_slice(&bytes[..room]);
    };
    loop {
        match session.events.next().await? {
            Event::Stdout(bytes) => collect(&mut stdout, bytes),
            Event::Stderr(bytes) => collect(&mut stderr, bytes),
            Event::Exit(exit) => {
                return Ok(Finished { pid: session.pid, exit, stdout, stderr, truncated });
            }
        }
    }
}

/// Starts a program in the background without watching it. Gives its process id.
pub async fn start<S: Pipe>(stream: S, command: Exec) -> Result<u32, Error> {
    let request = Request::Exec(Exec { background: true, attach: false, ..command });
    match call(stream, START, &request).await?.0 {
        Response::Started { pid } => Ok(pid),
        other => Err(unexpected(START, &other)),
    }
}

/// Starts a program and watches it. In the foreground it is killed with the session; with
/// `background` it goes on without it.
pub async fn exec<S: Pipe>(stream: S, command: Exec) -> Result<Session<S>, Error> {
    let request = Request::Exec(Exec { attach: true, ..command });
    session(stream, START, &request).await
}

/// Watches a process that was started before: its output from the first byte, then as it happens.
pub async fn attach<S: Pipe>(stream: S, pid: u32) -> Result<Session<S>, Error> {
    session(stream, "attach to a process", &Request::Attach { pid }).await
}

const START: &str = "start a program";

async fn session<S: Pipe>(stream: S, doing: &'static str, request: &Request) -> Result<Session<S>, Error> {
    match call(stream, doing, request).await? {
        (Response::Started { pid }, frames) => {
            let (frames, to) = frames.split();
            Ok(Session { pid, events: Events { frames }, stdin: Stdin { to } })
        }
        (other, _) => Err(unexpected(doing, &other)),
    }
}

/// A process that is being watched. Its parts can be used at the same time; dropping both ends it.
#[derive(Debug)]
pub struct Session<S> {
    pub pid: u32,
    pub events: Events<S>,
    pub stdin: Stdin<S>,
}

/// What a process does, as it does it.
#[derive(Debug)]
pub struct Events<S> {
    frames: FrameReader<ReadHalf<S>>,
}

impl<S: Pipe> Events<S> {
    /// The next thing the process did; `Exit` is the last. Safe to cancel.
    pub async fn next(&mut self) -> Result<Event, Error> {
        let doing = "report on a process";
        next_event(&mut self.frames, doing).await?.ok_or(Error::Ended { doing })
    }
}

/// A process's standard input, if it was started with one.
#[derive(Debug)]
pub struct Stdin<S> {
    to: WriteHalf<S>,
}

impl<S: Pipe> Stdin<S> {
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(FRAME_MAX) {
            self.frame(piece).await?;
        }
        Ok(())
    }

    /// Lets the process read the end of its input.
    pub async fn close(&mut self) -> Result<(), Error> {
        self.frame(&[]).await
    }

    async fn frame(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let doing = "take standard input";
        frame::write(&mut self.to, FrameKind::Data, bytes).await.map_err(|source| Error::Send { doing, source })
    }
}

/// The processes that an agent remembers.
pub async fn processes<S: Pipe>(stream: S) -> Result<Vec<Process>, Error> {
    let doing = "list its processes";
    let (mut response, mut frames) = call(stream, doing, &Request::Processes).await?;
    let mut all = Vec::new();
    loop {
        let Response::Processes { processes, more } = response else { return Err(unexpected(doing, &response)) };
        all.extend(
            processes.into_iter().map(|process| Process { command: super::bounded(process.command), ..process }),
        );
        if all.len() > PROCESSES_MAX {
            return Err(Error::Nonsense { doing, detail: format!("more than {PROCESSES_MAX} processes") });
        }
        if !more {
            return Ok(all);
        }
        response = answer(&mut frames, doing).await?;
    }
}

/// What a process wrote so far. Reads until `None`.
pub async fn logs<S: Pipe>(stream: S, pid: u32) -> Result<Logs<S>, Error> {
    let doing = "give the output of a process";
    match call(stream, doing, &Request::Logs { pid }).await? {
        (Response::Logs { exit }, frames) => Ok(Logs { exit, frames }),
        (other, _) => Err(unexpected(doing, &other)),
    }
}

/// Output of a process up to now.
#[derive(Debug)]
pub struct Logs<S> {
    /// How it ended, if it has.
    pub exit: Option<Exit>,
    frames: FrameReader<S>,
}

impl<S: Pipe> Logs<S> {
    /// The next piece of output, `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        next_event(&mut self.frames, "give the output of a process").await
    }
}

/// Signals a process and its group.
pub async fn kill<S: Pipe>(stream: S, pid: u32, signal: i32) -> Result<(), Error> {
    done(stream, "signal a process", &Request::Kill { pid, signal }).await
}

/// Writes to the standard input of a process started with one; `close` ends that input.
pub async fn stdin<S: Pipe>(stream: S, pid: u32, data: Vec<u8>, close: bool) -> Result<(), Error> {
    done(stream, "take standard input", &Request::Stdin { pid, data, close }).await
}

/// An output frame, or `None` for the empty `Data` that ends a log.
async fn next_event<R: AsyncRead + Unpin>(
    frames: &mut FrameReader<R>,
    doing: &'static str,
) -> Result<Option<Event>, Error> {
    let frame = frames.next().await.map_err(|source| Error::Receive { doing, source })?;
    let Frame { kind, payload } = frame.ok_or(Error::Ended { doing })?;
    match kind {
        FrameKind::Stdout => Ok(Some(Event::Stdout(payload))),
        FrameKind::Stderr => Ok(Some(Event::Stderr(payload))),
        FrameKind::Exit if payload.len() <= TEXT_MAX => Ok(Some(Event::Exit(parse(&payload, doing)?))),
        FrameKind::Data if payload.is_empty() => Ok(None),
        other => Err(Error::Nonsense { doing, detail: format!("a {other:?} frame among output") }),
    }
}
