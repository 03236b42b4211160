//! What the host refuses before it reaches the multiplexer.
//!
//! The multiplexer bounds unread bytes, but keeps each frame's bytes in an allocation of its own: a
//! guest that sends single bytes makes the host keep a hundred times as much, on every stream that
//! nobody reads just then. So frames are counted here until their stream has been read empty. And a
//! guest that opens a stream, which ours never does, ends the link.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What keeping one frame costs beside its bytes: its place in a queue and its allocation.
const FRAME_COST: usize = 96;

/// What unread frames of one link may cost beside their bytes. An honest guest comes near it only
/// when hundreds of streams full of tiny writes are left unread.
const COST_MAX: usize = 64 * 1024 * 1024;

/// Of a multiplexer's frame: version, kind, flags (2), stream (4), length (4).
const HEADER: usize = 12;
const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;
const OPENS: u16 = 1;

/// Frames that wait unread, by stream.
#[derive(Debug, Default)]
pub struct Ledger {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: HashMap<u32, usize>,
    total: usize,
}

impl Ledger {
    /// Counts the frames of a stream until the account is dropped.
    pub fn open(self: &Arc<Self>, stream: u32) -> Account {
        self.lock().frames.insert(stream, 0);
        Account { ledger: self.clone(), stream }
    }

    /// Says whether one more frame may wait.
    fn add(&self, stream: u32) -> bool {
        let mut waiting = self.lock();
        // What comes for a stream that has ended is dropped by the multiplexer.
        if let Some(frames) = waiting.frames.get_mut(&stream) {
            *frames += 1;
            waiting.total += 1;
        }
        waiting.total * FRAME_COST <= COST_MAX
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no panic under this lock")
    }
}

/// One stream's part of the ledger.
#[derive(Debug)]
pub struct Account {
    ledger: Arc<Ledger>,
    stream: u32,
}

impl Account {
    /// The stream has been read empty.
    pub fn settle(&self) {
        let mut waiting = self.ledger.lock();
        let settled = waiting.frames.insert(self.stream, 0).unwrap_or(0);
        waiting.total -= settled;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut waiting = self.ledger.lock();
        let settled = waiting.frames.remove(&self.stream).unwrap_or(0);
        waiting.total -= settled;
    }
}

/// A pipe whose incoming frames are looked at on their way.
pub struct Screened<T> {
    io: T,
    ledger: Arc<Ledger>,
    header: [u8; HEADER],
    /// How much of a header has come.
    in_header: usize,
    /// How much of a frame's content is still to come.
    content: usize,
}

impl<T> Screened<T> {
    pub fn new(io: T, ledger: Arc<Ledger>) -> Self {
        Self { io, ledger, header: [0; HEADER], in_header: 0, content: 0 }
    }

    fn look(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let skipped = self.content.min(bytes.len());
            self.content -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEADER - self.in_header).min(bytes.len());
            self.header[self.in_header..][..taken].copy_from_slice(&bytes[..taken]);
            self.in_header += taken;
            bytes = &bytes[taken..];
            if self.in_header == HEADER {
                self.in_header = 0;
                self.judge()?;
            }
        }
        Ok(())
    }

    fn judge(&mut self) -> io::Result<()> {
        let [_, kind, flags @ .., _, _, _, _, _, _, _, _] = self.header;
        let word = |at: usize| u32::from_be_bytes(self.header[at..at + 4].try_into().expect("four bytes"));
        if matches!(kind, DATA | WINDOW_UPDATE) && u16::from_be_bytes(flags) & OPENS != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the guest opened a stream"));
        }
        if kind == DATA {
            self.content = word(8) as usize;
            if self.content > 0 && !self.ledger.add(word(4)) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the guest sent too many small frames"));
            }
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Screened<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        Poll::Ready(self.look(&buf.filled()[before..]))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Screened<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u16, stream: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, kind];
        bytes.extend(flags.to_be_bytes());
        bytes.extend(stream.to_be_bytes());
        bytes.extend((content.len() as u32).to_be_bytes());
        bytes.extend(content);
        bytes
    }

    fn waiting(ledger: &Ledger) -> usize {
        ledger.lock().total
    }

    #[test]
    fn frames_are_counted_however_they_are_cut_until_their_stream_is_read() {
        let one = [frame(0, 2, 1, b"abc"), frame(2, 1, 0, b""), frame(0, 0, 3, b"x"), frame(0, 4, 1, b"")].concat();
        for size in 1..=one.len() {
            let ledger = Arc::<Ledger>::default();
            let (first, third) = (ledger.open(1), ledger.open(3));
            let mut screened = Screened::new((), ledger.clone());
            for piece in one.repeat(10).chunks(size) {
                screened.look(piece).unwrap();
            }
            assert_eq!(waiting(&ledger), 20);
            first.settle();
            assert_eq!(waiting(&ledger), 10);
            drop((first, third));
            screened.look(&one).unwrap();
            assert_eq!(waiting(&ledger), 0);
        }
    }

    #[test]
    fn a_guest_that_opens_a_stream_is_refused() {
        for kind in [DATA, WINDOW_UPDATE] {
            assert!(Screened::new((), Arc::default()).look(&frame(kind, OPENS, 2, b"")).is_err());
        }
    }

    #[test]
    fn a_flood_of_single_bytes_that_nobody_reads_is_refused() {
        let ledger = Arc::<Ledger>::default();
        let account = ledger.open(1);
        let mut screened = Screened::new((), ledger.clone());
        let flood = frame(0, 0, 1, b"x").repeat(10_000);
        for _ in 0..1_000 {
            screened.look(&flood).unwrap();
            account.settle();
        }
        assert!((0..1_000).any(|_| screened.look(&flood).is_err()));
    }
}
