//! What the host refuses before it reaches the multiplexer.
//!
//! The multiplexer bounds unread bytes, but keeps each frame's bytes in an allocation of its own: a
//! guest that sends single bytes makes the host keep a hundred times as much, on every stream that
//! nobody reads just then. So frames are counted here until their stream has been read empty.
//!
//! It also forgives: a frame that breaks its rules is logged and answered with a farewell, and then
//! the next is read. Here the first ends the link, and so does a guest that opens a stream.

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
const FAREWELL: u8 = 3;
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

/// Finds the headers of frames in a stream of pieces.
#[derive(Debug, Default)]
struct Headers {
    header: [u8; HEADER],
    /// How much of a header has come.
    in_header: usize,
    /// How much of a frame's content is still to come.
    content: usize,
}

/// One frame's header.
struct Header {
    kind: u8,
    flags: u16,
    stream: u32,
    /// Of its content for data; what it means depends on the kind.
    length: u32,
}

impl Headers {
    fn find(&mut self, mut bytes: &[u8], mut judge: impl FnMut(Header) -> io::Result<()>) -> io::Result<()> {
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
                let header = self.parse();
                self.content = if header.kind == DATA { header.length as usize } else { 0 };
                judge(header)?;
            }
        }
        Ok(())
    }

    fn parse(&self) -> Header {
        let [_, kind, flags @ .., _, _, _, _, _, _, _, _] = self.header;
        let word = |at: usize| u32::from_be_bytes(self.header[at..at + 4].try_into().expect("four bytes"));
        Header { kind, flags: u16::from_be_bytes(flags), stream: word(4), length: word(8) }
    }
}

/// A pipe whose frames are looked at on their way.
pub struct Screened<T> {
    io: T,
    ledger: Arc<Ledger>,
    incoming: Headers,
    outgoing: Headers,
}

impl<T> Screened<T> {
    pub fn new(io: T, ledger: Arc<Ledger>) -> Self {
        Self { io, ledger, incoming: Headers::default(), outgoing: Headers::default() }
    }

    fn look_in(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.incoming.find(bytes, |header| {
            if matches!(header.kind, DATA | WINDOW_UPDATE) && header.flags & OPENS != 0 {
                return Err(refuse("the guest opened a stream"));
            }
            if header.kind == DATA && header.length > 0 && !self.ledger.add(header.stream) {
                return Err(refuse("the guest sent too many small frames"));
            }
            Ok(())
        })
    }

    fn look_out(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A farewell without a complaint is our own wish.
        self.outgoing.find(bytes, |header| match header {
            Header { kind: FAREWELL, length: 1.., .. } => Err(refuse("the guest broke the rules of the multiplexer")),
            _ => Ok(()),
        })
    }
}

fn refuse(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl<T: AsyncRead + Unpin> AsyncRead for Screened<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        Poll::Ready(self.look_in(&buf.filled()[before..]))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Screened<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.look_out(&buf[..written])?;
        Poll::Ready(Ok(written))
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
                screened.look_in(piece).unwrap();
            }
            assert_eq!(waiting(&ledger), 20);
            first.settle();
            assert_eq!(waiting(&ledger), 10);
            drop((first, third));
            screened.look_in(&one).unwrap();
            assert_eq!(waiting(&ledger), 0);
        }
    }

    #[test]
    fn a_guest_that_opens_a_stream_is_refused() {
        for kind in [DATA, WINDOW_UPDATE] {
            assert!(Screened::new((), Arc::default()).look_in(&frame(kind, OPENS, 2, b"")).is_err());
        }
    }

    #[test]
    fn a_complaint_of_the_multiplexer_ends_the_link_and_a_plain_farewell_does_not() {
        let farewell = |code: u32| {
            let mut bytes = frame(FAREWELL, 0, 0, b"");
            bytes[8..].copy_from_slice(&code.to_be_bytes());
            Screened::new((), Arc::default()).look_out(&bytes)
        };
        assert!(farewell(0).is_ok());
        assert!(farewell(1).is_err() && farewell(2).is_err());
    }

    #[test]
    fn a_flood_of_single_bytes_that_nobody_reads_is_refused() {
        let ledger = Arc::<Ledger>::default();
        let account = ledger.open(1);
        let mut screened = Screened::new((), ledger.clone());
        let flood = frame(0, 0, 1, b"x").repeat(10_000);
        for _ in 0..1_000 {
            screened.look_in(&flood).unwrap();
            account.settle();
        }
        assert!((0..1_000).any(|_| screened.look_in(&flood).is_err()));
    }
}
