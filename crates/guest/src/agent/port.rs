//! The virtio-serial port that leads to the host.
//!
//! Its peculiarity: while no host is attached, reading gives the end of the file and polling gives a
//! hang-up that stays. Both only mean "nothing yet" here. Waiting goes through an epoll of its own,
//! edge-triggered, so that a hang-up that stays costs nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::task::JoinHandle;

/// Ports by name, as the kernel shows them.
const PORTS: &str = "/sys/class/virtio-ports";

const APPEAR_MAX: Duration = Duration::from_secs(10);

/// A port in use.
#[derive(Debug)]
pub struct Port {
    file: File,
    waiting: Arc<Mutex<Waiting>>,
    bell: JoinHandle<()>,
}

/// Who wants to know when something changed.
#[derive(Debug, Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Port {
    /// Finds the device of the port called `name`.
    pub fn find(name: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(PORTS).ok()?;
        let found = entries
            .flatten()
            .find(|entry| fs::read_to_string(entry.path().join("name")).is_ok_and(|said| said.trim_end() == name))?;
        Some(Path::new("/dev").join(found.file_name()))
    }

    /// Waits for the port called `name`, which appears a moment after its driver was loaded.
    pub async fn wait(name: &str) -> io::Result<PathBuf> {
        let deadline = Instant::now() + APPEAR_MAX;
        loop {
            // The device file comes after the entry that names it.
            match Port::find(name) {
                Some(device) if device.exists() => return Ok(device),
                _ if Instant::now() > deadline => {
                    return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no port `{name}`")));
                }
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Opens a port. Needs a running tokio runtime.
    pub fn open(device: &Path) -> io::Result<Port> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(device)?;
        // SAFETY: the `AsyncFd` owns the descriptor, which is open until it is dropped.
        let changes = unsafe { AsyncFd::register_with_interest(watch(&file)?, Interest::READABLE)? };
        let waiting = Arc::<Mutex<Waiting>>::default();
        let bell = tokio::spawn(ring(changes, waiting.clone()));
        Ok(Port { file, waiting, bell })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no panic under this lock")
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.bell.abort();
    }
}

/// An epoll that becomes readable at each change of the port, and not again until the next.
fn watch(file: &File) -> io::Result<OwnedFd> {
    // SAFETY: takes a number; the descriptor it returns is nobody else's.
    let epoll = unsafe {
        let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        super::kernel::check(epoll)?;
        OwnedFd::from_raw_fd(epoll)
    };
    let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32, u64: 0 };
    // SAFETY: `event` is valid for the length of the call.
    super::kernel::check(unsafe {
        libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, file.as_raw_fd(), &mut event)
    })?;
    Ok(epoll)
}

/// Wakes everybody who waits, at each change.
async fn ring(changes: AsyncFd<OwnedFd>, waiting: Arc<Mutex<Waiting>>) {
    while let Ok(mut changed) = changes.readable().await {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: there is room for the one event asked for.
        unsafe { libc::epoll_wait(changes.as_raw_fd(), &mut event, 1, 0) };
        changed.clear_ready();
        let woken = std::mem::take(&mut *waiting.lock().expect("no panic under this lock"));
        for waker in [woken.reader, woken.writer].into_iter().flatten() {
            waker.wake();
        }
    }
}

fn not_yet(error: &io::Error) -> bool {
    // Without a host there is nobody to write to, which the kernel says in more than one way.
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::BrokenPipe)
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Announced before the attempt, so that no change falls between the two.
        self.waiting().reader = Some(cx.waker().clone());
        match (&self.file).read(buf.initialize_unfilled()) {
            Ok(0) => Poll::Pending,
            Ok(length) => {
                buf.advance(length);
                Poll::Ready(Ok(()))
            }
            Err(error) if not_yet(&error) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Port {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.waiting().writer = Some(cx.waker().clone());
        match (&self.file).write(buf) {
            Err(error) if not_yet(&error) => Poll::Pending,
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
