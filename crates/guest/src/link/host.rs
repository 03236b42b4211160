//! The host's end of a link.

use super::handshake::{Hello, NONCE, echo_prefix};
use super::mask::Mask;
use super::screen::{Account, Ledger, Screened};
use super::{PIPE_BUFFER, STREAMS_MAX, yamux_config};
use crate::protocol::VERSION;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};
use tokio_util::sync::CancellationToken;

/// Why a link could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the guest did not answer the handshake in time")]
    NoAnswer,
    #[error("the pipe to the guest broke during the handshake")]
    Pipe(#[source] io::Error),
    #[error("the guest sent {0} bytes without answering the handshake")]
    OnlyNoise(usize),
    #[error("the guest's agent speaks version {guest} of the protocol, this host speaks {host}", host = VERSION)]
    WrongVersion { guest: u32 },
    #[error("the link to the guest has ended")]
    Ended,
    #[error("{STREAMS_MAX} streams to the guest are open already")]
    TooManyStreams,
}

/// What may come before the answer to a handshake: all that earlier streams were still allowed to
/// send, and something for frames around it.
const NOISE_MAX: usize = 2 * super::WINDOW_MAX;

/// How long an ending link may take to say so to a guest that does not read.
const FAREWELL: Duration = Duration::from_millis(500);

/// A link to one guest. Clones share it; it ends when the last clone and the last stream are gone,
/// when it is closed, or when the pipe breaks.
#[derive(Debug, Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    requests: mpsc::Sender<Open>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// Asks the task that owns the multiplexer for one stream.
type Open = oneshot::Sender<(yamux::Stream, Account)>;

impl Link {
    /// Shakes hands over `io`, waiting until `deadline` for a guest that may still be booting. The
    /// nonce must be random: it tells this link's bytes from those of earlier ones.
    pub async fn connect<T>(io: T, nonce: [u8; NONCE], deadline: Instant) -> Result<Link, Error>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut io = BufReader::with_capacity(PIPE_BUFFER, io);
        timeout_at(deadline, shake_hands(&mut io, nonce)).await.map_err(|_| Error::NoAnswer)??;
        let ledger = Arc::<Ledger>::default();
        let masked = Masked { io, mask: Mask::new(&nonce), waiting: Vec::new(), written: 0 };
        let screened = Screened::new(masked, ledger.clone());
        let connection = yamux::Connection::new(screened.compat(), yamux_config(), yamux::Mode::Client);
        let (requests, inbox) = mpsc::channel(16);
        let shared = Arc::new(Shared {
            requests,
            permits: Arc::new(Semaphore::new(STREAMS_MAX)),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        tokio::spawn(drive(connection, inbox, ledger, shared.stop.clone(), shared.ended.clone()));
        Ok(Link { shared })
    }

    /// Opens a stream for one operation. Nothing is sent before its request is.
    pub async fn open(&self) -> Result<Stream, Error> {
        let permit = self.shared.permits.clone().try_acquire_owned().map_err(|_| Error::TooManyStreams)?;
        let (answer, stream) = oneshot::channel();
        self.shared.requests.send(answer).await.map_err(|_| Error::Ended)?;
        let (stream, account) = stream.await.map_err(|_| Error::Ended)?;
        Ok(Stream { stream: stream.compat(), account, _permit: permit, _link: self.shared.clone() })
    }

    /// Whether the pipe is gone or the link was closed.
    pub fn is_ended(&self) -> bool {
        self.shared.ended.is_cancelled()
    }

    /// Returns when the link has ended, for whatever reason.
    pub async fn ended(&self) {
        self.shared.ended.cancelled().await;
    }

    /// Ends the link and all its streams, and returns when nothing more will be sent: a machine must
    /// be left in silence before its snapshot is taken.
    pub async fn close(self) {
        self.shared.stop.cancel();
        self.shared.ended.cancelled().await;
    }
}

/// One stream of a link.
#[derive(Debug)]
pub struct Stream {
    stream: Compat<yamux::Stream>,
    account: Account,
    _permit: OwnedSemaphorePermit,
    // The link lives as long as any of its streams.
    _link: Arc<Shared>,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            self.account.settle();
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn shake_hands<T>(io: &mut T, nonce: [u8; NONCE]) -> Result<(), Error>
where
    T: AsyncBufRead + AsyncWrite + Unpin,
{
    let hello = Hello { version: VERSION, nonce };
    io.write_all(&hello.encode()).await.map_err(Error::Pipe)?;
    io.flush().await.map_err(Error::Pipe)?;

    let prefix = echo_prefix(&nonce);
    let length = prefix.len() + 4;
    let mut tail: Vec<u8> = Vec::new();
    let mut seen = 0;
    loop {
        let piece = io.fill_buf().await.map_err(Error::Pipe)?;
        if piece.is_empty() {
            return Err(Error::Pipe(io::ErrorKind::UnexpectedEof.into()));
        }
        let (before, arrived) = (tail.len(), piece.len());
        tail.extend_from_slice(piece);
        if let Some(start) = tail.windows(length).position(|window| window.starts_with(&prefix)) {
            let end = start + length;
            io.consume(end - before);
            let guest = u32::from_be_bytes(*tail[..end].last_chunk().expect("longer than a version"));
            return if guest == VERSION { Ok(()) } else { Err(Error::WrongVersion { guest }) };
        }
        io.consume(arrived);
        tail.drain(..tail.len().saturating_sub(length - 1));
        seen += arrived;
        if seen > NOISE_MAX {
            return Err(Error::OnlyNoise(seen));
        }
    }
}

/// Owns the multiplexer: moves its bytes and opens streams.
async fn drive<T>(
    mut connection: yamux::Connection<T>,
    mut requests: mpsc::Receiver<Open>,
    ledger: Arc<Ledger>,
    stop: CancellationToken,
    ended: CancellationToken,
) where
    T: futures::AsyncRead + futures::AsyncWrite + Unpin,
{
    let _ended = ended.drop_guard();
    let mut waiting: Option<Open> = None;
    let work = poll_fn(|cx| {
        loop {
            match connection.poll_next_inbound(cx) {
                // A guest that opens a stream was refused before this; a stream would end the link as well.
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => {}
            }
            if waiting.is_none() {
                match ready!(requests.poll_recv(cx)) {
                    Some(request) => waiting = Some(request),
                    None => return Poll::Ready(true),
                }
            }
            match ready!(connection.poll_new_outbound(cx)) {
                // Whoever asked may be gone; the stream goes with it.
                Ok(stream) => {
                    let id = stream.id().to_string().parse().expect("yamux numbers its streams");
                    let account = ledger.open(id);
                    drop(waiting.take().map(|request| request.send((stream, account))));
                }
                Err(_) => return Poll::Ready(false),
            }
        }
    });
    let alive = tokio::select! {
        alive = work => alive,
        () = stop.cancelled() => true,
    };
    if alive {
        // Telling the guest lets it end what depends on the streams now, not at the next handshake.
        // It is a courtesy, so failing at it changes nothing.
        let _ = timeout(FAREWELL, poll_fn(|cx| connection.poll_close(cx))).await;
    }
}

/// Masks what is written, and gathers it into larger writes.
struct Masked<T> {
    io: T,
    mask: Mask,
    waiting: Vec<u8>,
    written: usize,
}

impl<T: AsyncWrite + Unpin> Masked<T> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.waiting.len() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.waiting[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        self.waiting.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Masked<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Masked<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.waiting.len() >= PIPE_BUFFER {
            ready!(this.poll_drain(cx))?;
        }
        let taken = buf.len().min(PIPE_BUFFER - this.waiting.len());
        let start = this.waiting.len();
        this.waiting.extend_from_slice(&buf[..taken]);
        this.mask.apply(&mut this.waiting[start..]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
