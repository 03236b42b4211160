//! Frames on one stream: how they are written, and how they are read from somebody hostile.
//!
//! Believe: a reader never holds more than one frame of the size it allows, and reading is safe to
//! cancel (nothing that has arrived is lost).

use crate::protocol::{FRAME_MAX, FrameKind};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_util::io::poll_read_buf;

/// Bytes before a payload: kind and length.
pub const HEADER: usize = 5;

/// One frame as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: FrameKind,
    pub payload: Bytes,
}

/// Why the other side could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read a frame")]
    Read(#[source] io::Error),
    #[error("cannot write a frame")]
    Write(#[source] io::Error),
    #[error("a frame has the unknown kind {0}")]
    UnknownKind(u8),
    #[error("a frame announces {length} bytes, more than {max}")]
    TooLarge { length: usize, max: usize },
    #[error("the stream ended inside a frame")]
    Truncated,
}

impl FrameKind {
    fn parse(kind: u8) -> Result<FrameKind, Error> {
        Ok(match kind {
            0 => FrameKind::Control,
            1 => FrameKind::Data,
            2 => FrameKind::Stdout,
            3 => FrameKind::Stderr,
            4 => FrameKind::Exit,
            other => return Err(Error::UnknownKind(other)),
        })
    }
}

/// Takes one whole frame from the front of `buffer`, or `None` while it is incomplete.
pub fn decode(buffer: &mut BytesMut, max: usize) -> Result<Option<Frame>, Error> {
    let Some(header) = buffer.first_chunk::<HEADER>() else { return Ok(None) };
    let kind = FrameKind::parse(header[0])?;
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    // Only a request may be larger than a frame.
    let max = if kind == FrameKind::Control { max } else { max.min(FRAME_MAX) };
    if length > max {
        return Err(Error::TooLarge { length, max });
    }
    if buffer.len() < HEADER + length {
        // Only now is memory set aside for the payload, and it is at most `max`.
        buffer.reserve(HEADER + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(HEADER);
    Ok(Some(Frame { kind, payload: buffer.split_to(length).freeze() }))
}

/// Puts one frame at the end of `buffer`.
pub fn encode(kind: FrameKind, payload: &[u8], buffer: &mut BytesMut) {
    buffer.reserve(HEADER + payload.len());
    buffer.put_u8(kind as u8);
    buffer.put_u32(u32::try_from(payload.len()).expect("payloads are far below 4 GiB"));
    buffer.put_slice(payload);
}

/// Reads frames one after the other.
#[derive(Debug)]
pub struct FrameReader<R> {
    from: R,
    buffer: BytesMut,
    max: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Allows frames of up to `FRAME_MAX`.
    pub fn new(from: R) -> Self {
        Self::with_max(from, FRAME_MAX)
    }

    /// Allows control frames of up to `max`.
    pub fn with_max(from: R, max: usize) -> Self {
        Self { from, buffer: BytesMut::new(), max }
    }

    /// The next frame, or `None` when the stream ended between two frames. Safe to cancel.
    pub async fn next(&mut self) -> Result<Option<Frame>, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As `next`.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, Error>> {
        loop {
            if let Some(frame) = decode(&mut self.buffer, self.max)? {
                return Poll::Ready(Ok(Some(frame)));
            }
            self.buffer.reserve(READ_AHEAD);
            let read = ready!(poll_read_buf(Pin::new(&mut self.from), cx, &mut self.buffer)).map_err(Error::Read)?;
            if read == 0 {
                return Poll::Ready(if self.buffer.is_empty() { Ok(None) } else { Err(Error::Truncated) });
            }
        }
    }

    /// What the frames are read from, to write to it.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.from
    }
}

impl<S: AsyncRead + AsyncWrite> FrameReader<S> {
    /// Lets frames be read and written at the same time.
    pub fn split(self) -> (FrameReader<ReadHalf<S>>, WriteHalf<S>) {
        let (from, to) = tokio::io::split(self.from);
        (FrameReader { from, buffer: self.buffer, max: self.max }, to)
    }
}

/// What is asked of the stream at once: enough for a chunk of output, little when idle.
const READ_AHEAD: usize = 16 * 1024;

/// Writes one frame and hands it to the multiplexer.
pub async fn write<W: AsyncWrite + Unpin>(to: &mut W, kind: FrameKind, payload: &[u8]) -> Result<(), Error> {
    let mut buffer = BytesMut::new();
    encode(kind, payload, &mut buffer);
    to.write_all(&buffer).await.map_err(Error::Write)?;
    to.flush().await.map_err(Error::Write)
}
