//! A connection to a port inside a guest, as a plain byte stream.

use super::{Error, Pipe, call, expect_done};
use crate::frame::{self, FrameReader};
use crate::protocol::{FRAME_MAX, FrameKind, Request};
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Connects to `127.0.0.1:port` in the guest.
pub async fn tunnel<S: Pipe>(stream: S, port: u16) -> Result<Tunnel<S>, Error> {
    let doing = "connect to a port";
    let (response, frames) = call(stream, doing, &Request::Tunnel { port }).await?;
    expect_done(doing, response)?;
    Ok(Tunnel { frames, piece: Bytes::new(), read_ended: false, waiting: BytesMut::new(), write_ended: false })
}

/// A TCP connection inside the guest. Shutting down ends only the writing side, as with TCP.
#[derive(Debug)]
pub struct Tunnel<S> {
    frames: FrameReader<S>,
    piece: Bytes,
    read_ended: bool,
    /// One frame at most, on its way out.
    waiting: BytesMut,
    write_ended: bool,
}

impl<S: Pipe> Tunnel<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(self.frames.get_mut()).poll_write(cx, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Pipe> AsyncRead for Tunnel<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.piece.is_empty() && !self.read_ended {
            match ready!(self.frames.poll_next(cx)) {
                Ok(Some(frame)) if frame.kind == FrameKind::Data => {
                    self.read_ended = frame.payload.is_empty();
                    self.piece = frame.payload;
                }
                // Without the empty frame, the connection did not end: it broke.
                Ok(None) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Ok(Some(_)) => return Poll::Ready(Err(io::Error::other("the guest sent something else than data"))),
                Err(error) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let length = self.piece.len().min(buf.remaining());
        buf.put_slice(&self.piece[..length]);
        self.piece.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: Pipe> AsyncWrite for Tunnel<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.write_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0)); // an empty frame would mean the end
        }
        ready!(self.poll_drain(cx))?;
        let length = buf.len().min(FRAME_MAX);
        frame::encode(FrameKind::Data, &buf[..length], &mut self.waiting);
        // Sent now if there is room, so that a caller who does not flush is not kept waiting.
        match self.poll_drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(length)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(self.frames.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.write_ended {
            ready!(self.poll_drain(cx))?;
            frame::encode(FrameKind::Data, &[], &mut self.waiting);
            self.write_ended = true;
        }
        self.poll_flush(cx)
    }
}
