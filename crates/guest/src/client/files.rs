//! Files in a guest, from the host.

use super::{Error, Pipe, answer, ask, bounded, call, done, expect_done, unexpected};
use crate::frame::{self, FrameReader};
use crate::protocol::{FRAME_MAX, File, FrameKind, LIST_PARTS_MAX, Request, Response};
use bytes::{Buf, Bytes};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Opens a file for reading. What it is comes first, then its content as it is read.
pub async fn read<S: Pipe>(stream: S, path: &str, user: Option<&str>) -> Result<(File, Download<S>), Error> {
    let doing = "read a file";
    let (response, frames) = call(stream, doing, &Request::Read { path: path.into(), user: owned(user) }).await?;
    Ok((expect_file(doing, response)?, Download { frames, piece: Bytes::new(), ended: false }))
}

/// The content of a file. Reading fails if the guest stops before its end.
#[derive(Debug)]
pub struct Download<S> {
    frames: FrameReader<S>,
    piece: Bytes,
    ended: bool,
}

impl<S: Pipe> AsyncRead for Download<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.piece.is_empty() && !self.ended {
            match ready!(self.frames.poll_next(cx)) {
                Ok(Some(frame)) if frame.kind == FrameKind::Data => {
                    self.ended = frame.payload.is_empty();
                    self.piece = frame.payload;
                }
                Ok(Some(_)) => return Poll::Ready(Err(io::Error::other("the guest sent something else than data"))),
                Ok(None) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Err(error) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let length = self.piece.len().min(buf.remaining());
        buf.put_slice(&self.piece[..length]);
        self.piece.advance(length);
        Poll::Ready(Ok(()))
    }
}

/// Writes a file: it appears whole, or not at all. Parents are created.
pub async fn write<S: Pipe, R: AsyncRead + Unpin + Send>(
    stream: S,
    path: &str,
    user: Option<&str>,
    mode: Option<u32>,
    content: R,
) -> Result<File, Error> {
    let doing = "write a file";
    let request = Request::Write { path: path.into(), user: owned(user), mode };
    expect_file(doing, upload(stream, doing, &request, content).await?)
}

/// Unpacks a tar archive under `dst`.
pub async fn unpack<S: Pipe, R: AsyncRead + Unpin + Send>(
    stream: S,
    dst: &str,
    user: Option<&str>,
    archive: R,
) -> Result<(), Error> {
    let doing = "unpack an archive";
    let request = Request::Unpack { dst: dst.into(), user: owned(user) };
    expect_done(doing, upload(stream, doing, &request, archive).await?)
}

/// What is in a directory, and whether there was more than the agent lists.
pub async fn list<S: Pipe>(stream: S, path: &str, depth: u32, user: Option<&str>) -> Result<(Vec<File>, bool), Error> {
    let doing = "list a directory";
    let request = Request::List { path: path.into(), depth, user: owned(user) };
    let (mut response, mut frames) = call(stream, doing, &request).await?;
    let mut all = Vec::new();
    for _ in 0..LIST_PARTS_MAX {
        let Response::Files { files, truncated, more } = response else { return Err(unexpected(doing, &response)) };
        all.extend(files.into_iter().map(bounded_file));
        if !more {
            return Ok((all, truncated));
        }
        response = answer(&mut frames, doing).await?;
    }
    Err(Error::Nonsense { doing, detail: format!("a list of more than {LIST_PARTS_MAX} parts") })
}

/// What is at a path. Symbolic links are not followed.
pub async fn stat<S: Pipe>(stream: S, path: &str, user: Option<&str>) -> Result<File, Error> {
    let doing = "look at a file";
    let (response, _) = call(stream, doing, &Request::Stat { path: path.into(), user: owned(user) }).await?;
    expect_file(doing, response)
}

/// Removes a file, or a directory with all that is in it.
pub async fn remove<S: Pipe>(stream: S, path: &str, user: Option<&str>) -> Result<(), Error> {
    done(stream, "remove a file", &Request::Remove { path: path.into(), user: owned(user) }).await
}

/// Moves a file or directory.
pub async fn rename<S: Pipe>(stream: S, from: &str, to: &str, user: Option<&str>) -> Result<File, Error> {
    let doing = "rename a file";
    let request = Request::Rename { from: from.into(), to: to.into(), user: owned(user) };
    expect_file(doing, call(stream, doing, &request).await?.0)
}

/// Makes a directory with its parents. One that exists is fine.
pub async fn mkdir<S: Pipe>(stream: S, path: &str, user: Option<&str>, mode: Option<u32>) -> Result<(), Error> {
    done(stream, "make a directory", &Request::Mkdir { path: path.into(), user: owned(user), mode }).await
}

/// Changes permission bits.
pub async fn chmod<S: Pipe>(stream: S, path: &str, mode: u32, user: Option<&str>) -> Result<(), Error> {
    done(stream, "change permissions", &Request::Chmod { path: path.into(), mode, user: owned(user) }).await
}

/// Sends a request, then content as `Data` frames, and reads the answer. An agent that gives up early
/// (the disk is full) answers early, and then the rest is not sent.
async fn upload<S: Pipe, R: AsyncRead + Unpin + Send>(
    stream: S,
    doing: &'static str,
    request: &Request,
    content: R,
) -> Result<Response, Error> {
    let (mut frames, mut to) = ask(stream, doing, request).await?.split();
    let sent = {
        let mut early = std::pin::pin!(answer(&mut frames, doing));
        tokio::select! {
            biased;
            response = &mut early => return response,
            sent = send_content(&mut to, doing, content) => sent,
        }
    };
    match sent {
        Ok(()) => answer(&mut frames, doing).await,
        // The content could not be read. Without its end the guest forgets what it has.
        Err(error @ Error::Source(_)) => Err(error),
        // The guest stopped reading; its reason is worth more than that fact.
        Err(error) => match answer(&mut frames, doing).await {
            Err(refused @ Error::Refused { .. }) => Err(refused),
            _ => Err(error),
        },
    }
}

async fn send_content<W: AsyncWrite + Unpin, R: AsyncRead + Unpin>(
    to: &mut W,
    doing: &'static str,
    mut content: R,
) -> Result<(), Error> {
    let mut buffer = vec![0; FRAME_MAX];
    loop {
        let length = content.read(&mut buffer).await.map_err(Error::Source)?;
        // The empty frame after the last byte is what says that this was all.
        frame::write(to, FrameKind::Data, &buffer[..length]).await.map_err(|source| Error::Send { doing, source })?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn expect_file(doing: &'static str, response: Response) -> Result<File, Error> {
    match response {
        Response::File { file } => Ok(bounded_file(file)),
        other => Err(unexpected(doing, &other)),
    }
}

fn bounded_file(file: File) -> File {
    File {
        name: bounded(file.name),
        path: bounded(file.path),
        owner: bounded(file.owner),
        group: bounded(file.group),
        symlink_target: file.symlink_target.map(bounded),
        ..file
    }
}

fn owned(user: Option<&str>) -> Option<String> {
    user.map(str::to_owned)
}
