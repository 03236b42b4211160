//! The host's side of every operation. One stream carries one operation, so each function takes a
//! fresh stream by value.
//!
//! Believe: whatever the guest answers, memory stays bounded and nothing panics. Nothing here has a
//! deadline of its own: the caller knows how long it can wait, and dropping the future ends the
//! operation.

mod files;
mod process;
mod tunnel;

pub use files::{Download, chmod, list, mkdir, read, remove, rename, stat, unpack, write};
pub use process::{
    Event, Events, Finished, Logs, Session, Stdin, attach, exec, kill, logs, processes, run, start, stdin,
};
pub use tunnel::{Tunnel, tunnel};

use crate::frame::{self, FrameReader};
use crate::protocol::{Failure, FrameKind, Metrics, Probe, Renew, Request, Response, TEXT_MAX, start_of};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream to a guest.
pub trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// Why an operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The agent is well and says no.
    #[error("the guest refused to {doing}: {failure}")]
    Refused { doing: &'static str, failure: Failure },
    #[error("cannot ask the guest to {doing}")]
    Send {
        doing: &'static str,
        #[source]
        source: frame::Error,
    },
    #[error("cannot understand the guest's answer when asked to {doing}")]
    Receive {
        doing: &'static str,
        #[source]
        source: frame::Error,
    },
    #[error("the guest ended the stream when asked to {doing}")]
    Ended { doing: &'static str },
    #[error("the guest did not keep to the protocol when asked to {doing}: {detail}")]
    Nonsense { doing: &'static str, detail: String },
    #[error("cannot read what is to be sent to the guest")]
    Source(#[source] io::Error),
}

impl Error {
    /// What the agent said, if it was the agent that refused.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Error::Refused { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

/// An agent that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong {
    pub agent_version: String,
    pub uptime: Duration,
}

/// Proof that a clone drew fresh random bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// SHA-256 (hex) of 32 random bytes: two clones with the same one share their generator.
    pub proof: String,
    pub boot_token: String,
}

/// How one readiness attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    pub ready: bool,
    pub detail: String,
}

/// Asks whether the agent answers.
pub async fn ping<S: Pipe>(stream: S) -> Result<Pong, Error> {
    match call(stream, "answer a ping", &Request::Ping).await?.0 {
        Response::Pong { agent_version, uptime_ms } => {
            Ok(Pong { agent_version: bounded(agent_version), uptime: Duration::from_millis(uptime_ms) })
        }
        other => Err(unexpected("answer a ping", &other)),
    }
}

/// Makes one readiness attempt.
pub async fn probe<S: Pipe>(stream: S, probe: Probe) -> Result<Probed, Error> {
    match call(stream, "probe readiness", &Request::Probe(probe)).await?.0 {
        Response::Probed { ready, detail } => Ok(Probed { ready, detail: bounded(detail) }),
        other => Err(unexpected("probe readiness", &other)),
    }
}

/// Stops every user process and flushes the disks, before a snapshot.
pub async fn freeze<S: Pipe>(stream: S) -> Result<(), Error> {
    done(stream, "freeze", &Request::Freeze).await
}

/// Makes a restored clone unique and lets its user processes run.
pub async fn renew<S: Pipe>(stream: S, renew: Renew) -> Result<Renewed, Error> {
    match call(stream, "renew itself", &Request::Renew(renew)).await?.0 {
        Response::Renewed { proof, boot_token } if proof.len() == 64 => {
            Ok(Renewed { proof, boot_token: bounded(boot_token) })
        }
        other => Err(unexpected("renew itself", &other)),
    }
}

/// Makes the root file system clean and still, until `thaw_disk`.
pub async fn freeze_disk<S: Pipe>(stream: S) -> Result<(), Error> {
    done(stream, "freeze its disk", &Request::FreezeDisk).await
}

/// Ends `freeze_disk`.
pub async fn thaw_disk<S: Pipe>(stream: S) -> Result<(), Error> {
    done(stream, "thaw its disk", &Request::ThawDisk).await
}

/// Grows the root file system to its disk.
pub async fn grow_root<S: Pipe>(stream: S) -> Result<(), Error> {
    done(stream, "grow its root file system", &Request::GrowRoot).await
}

/// What the machine uses.
pub async fn metrics<S: Pipe>(stream: S) -> Result<Metrics, Error> {
    match call(stream, "measure itself", &Request::Metrics).await?.0 {
        Response::Metrics { metrics } => Ok(metrics),
        other => Err(unexpected("measure itself", &other)),
    }
}

/// Sets the guest's clock, after a pause.
pub async fn set_time<S: Pipe>(stream: S, unix_nanos: i64) -> Result<(), Error> {
    done(stream, "set its clock", &Request::SetTime { unix_nanos }).await
}

/// Powers the machine off. Returns when the guest has begun to.
pub async fn shutdown<S: Pipe>(stream: S) -> Result<(), Error> {
    done(stream, "shut down", &Request::Shutdown).await
}

/// Sends a request and reads the answer to it.
async fn call<S: Pipe>(stream: S, doing: &'static str, request: &Request) -> Result<(Response, FrameReader<S>), Error> {
    let mut frames = ask(stream, doing, request).await?;
    let response = answer(&mut frames, doing).await?;
    Ok((response, frames))
}

async fn ask<S: Pipe>(mut stream: S, doing: &'static str, request: &Request) -> Result<FrameReader<S>, Error> {
    let json = serde_json::to_vec(request).expect("a request is always JSON");
    if json.len() > crate::protocol::REQUEST_MAX {
        let source = frame::Error::TooLarge { length: json.len(), max: crate::protocol::REQUEST_MAX };
        return Err(Error::Send { doing, source });
    }
    frame::write(&mut stream, FrameKind::Control, &json).await.map_err(|source| Error::Send { doing, source })?;
    Ok(FrameReader::new(stream))
}

/// Reads a response; one that says no becomes an error.
async fn answer<R: AsyncRead + Unpin>(frames: &mut FrameReader<R>, doing: &'static str) -> Result<Response, Error> {
    let frame = frames.next().await.map_err(|source| Error::Receive { doing, source })?;
    let frame = frame.ok_or(Error::Ended { doing })?;
    if frame.kind != FrameKind::Control {
        return Err(Error::Nonsense { doing, detail: format!("a {:?} frame instead of an answer", frame.kind) });
    }
    match parse(&frame.payload, doing)? {
        Response::Failed { error } => {
            Err(Error::Refused { doing, failure: Failure { code: error.code, message: bounded(error.message) } })
        }
        response => Ok(response),
    }
}

fn parse<T: serde::de::DeserializeOwned>(json: &[u8], doing: &'static str) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| Error::Nonsense { doing, detail: bounded(error.to_string()) })
}

async fn done<S: Pipe>(stream: S, doing: &'static str, request: &Request) -> Result<(), Error> {
    expect_done(doing, call(stream, doing, request).await?.0)
}

fn expect_done(doing: &'static str, response: Response) -> Result<(), Error> {
    match response {
        Response::Done => Ok(()),
        other => Err(unexpected(doing, &other)),
    }
}

fn unexpected(doing: &'static str, response: &Response) -> Error {
    let is = match response {
        Response::Done => "done",
        Response::Pong { .. } => "pong",
        Response::Started { .. } => "started",
        Response::Processes { .. } => "processes",
        Response::Logs { .. } => "logs",
        Response::File { .. } => "file",
        Response::Files { .. } => "files",
        Response::Probed { .. } => "probed",
        Response::Renewed { .. } => "renewed",
        Response::Metrics { .. } => "metrics",
        Response::Failed { .. } => "failed",
    };
    Error::Nonsense { doing, detail: format!("the answer `{is}` does not belong here") }
}

/// Cuts text from a guest to what the host is willing to keep.
fn bounded(text: String) -> String {
    if text.len() > TEXT_MAX { start_of(&text, TEXT_MAX).to_owned() } else { text }
}
