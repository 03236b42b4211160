//! The guest's end of a link: waits for a `Hello` for as long as the machine lives, and serves one
//! host at a time.

use super::handshake::{Hello, Scanner};
use super::mask::Mask;
use super::{PIPE_BUFFER, yamux_config};
use crate::protocol::VERSION;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};

/// A stream that the host opened.
pub type Stream = Compat<yamux::Stream>;

/// Serves hosts over `io` until it ends: `handle` is started for every stream they open.
///
/// Nothing that comes in ends this early: what cannot be understood ends the session with that host,
/// and the next `Hello` starts another. Writes may stall for ever while nobody reads.
pub async fn serve<T, H, F>(io: T, handle: H) -> io::Result<()>
where
    T: AsyncRead + AsyncWrite + Send + 'static,
    H: Fn(Stream) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (mut reader, writer) = tokio::io::split(io);
    let writer = Arc::new(Mutex::new(writer));
    let mut scanner = Scanner::default();
    let mut session: Option<Session> = None;
    let mut buffer = vec![0; PIPE_BUFFER];
    loop {
        let length = reader.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let mut piece = &mut buffer[..length];
        if let Some((hello, used)) = scanner.feed(piece) {
            if let Some(old) = session.take() {
                old.end().await;
            }
            session = Some(Session::start(hello, writer.clone(), handle.clone()));
            piece = &mut piece[used..];
        }
        // Without a session, the bytes are what is left of one: dropped.
        let gone = match &mut session {
            Some(session) => session.receive(piece).await.is_err(),
            None => false,
        };
        if gone {
            session = None;
        }
    }
}

/// One host's time: from its `Hello` to the next, or to the first thing that makes no sense.
struct Session {
    mask: Mask,
    to_multiplexer: WriteHalf<DuplexStream>,
    writing: JoinHandle<()>,
}

impl Session {
    fn start<W, H, F>(hello: Hello, writer: Arc<Mutex<W>>, handle: H) -> Session
    where
        W: AsyncWrite + Unpin + Send + 'static,
        H: Fn(Stream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (near, far) = tokio::io::duplex(PIPE_BUFFER);
        let (from_multiplexer, to_multiplexer) = tokio::io::split(near);
        // A host of another version reads ours in the echo, and goes.
        if hello.version == VERSION {
            tokio::spawn(accept(far, handle));
        }
        let writing = tokio::spawn(async move {
            let mut writer = writer.lock().await;
            // A broken pipe shows itself to the reader, which ends everything.
            let _ = send(&mut *writer, hello, from_multiplexer).await;
        });
        Session { mask: Mask::new(&hello.nonce), to_multiplexer, writing }
    }

    async fn receive(&mut self, piece: &mut [u8]) -> io::Result<()> {
        self.mask.apply(piece);
        self.to_multiplexer.write_all(piece).await
    }

    /// Returns when nothing of this session will be written any more.
    async fn end(self) {
        self.writing.abort();
        // It was aborted: that it did not finish is the point.
        let _ = self.writing.await;
    }
}

async fn send<W>(to: &mut W, hello: Hello, mut from: ReadHalf<DuplexStream>) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    to.write_all(&hello.echo()).await?;
    to.flush().await?;
    let mut buffer = vec![0; PIPE_BUFFER];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
        to.flush().await?;
    }
}

/// Starts `handle` for each stream until the multiplexer ends, which ends all its streams.
async fn accept<H, F>(pipe: DuplexStream, handle: H)
where
    H: Fn(Stream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connection = yamux::Connection::new(pipe.compat(), yamux_config(), yamux::Mode::Server);
    while let Some(Ok(stream)) = poll_fn(|cx| connection.poll_next_inbound(cx)).await {
        tokio::spawn(handle(stream.compat()));
    }
}
