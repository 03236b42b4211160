//! The guest's side: answers the operations of `protocol` on the streams of a `link`.
//!
//! Runs either as PID 1 of a machine of its own (`boot`, then a virtio-serial port) or as a plain
//! process on a unix socket, where it leaves the clock, the name and the generator of its host alone.
//!
//! Believe: it costs nothing while nobody asks anything (no timers, no polling), one request that
//! misbehaves does not disturb another, and what it keeps is bounded.

pub mod boot;
mod cgroup;
mod disk;
mod files;
mod files_as;
mod kernel;
mod log;
mod metrics;
mod network;
mod port;
mod probe;
mod process;
mod reap;
mod renew;
mod serve;
mod shutdown;
mod table;
mod transfer;
mod tunnel;
mod users;

pub use port::Port;
pub use reap::Reaper;
pub use shutdown::power_off;

use crate::protocol::{Failure, FailureCode};
use cgroup::Cgroup;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use table::Table;

/// What the agent runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A machine of its own: kernel, disk and clock are the agent's to manage.
    Machine,
    /// Somebody else's machine.
    Shared,
}

/// An agent at work.
#[derive(Debug)]
pub struct Agent {
    place: Place,
    /// Where the boot token and the generation go.
    state_dir: PathBuf,
    started: Instant,
    cgroup: Option<Cgroup>,
    reaper: Reaper,
    table: Mutex<Table>,
    /// Set between `Freeze` and the end of `Renew`: nothing may start then.
    frozen: Mutex<bool>,
}

impl Agent {
    /// Needs a running tokio runtime of one thread: the order of starting and reaping depends on it.
    pub fn new(place: Place, state_dir: PathBuf) -> io::Result<Arc<Agent>> {
        let cgroup = match place {
            Place::Machine => Cgroup::create(),
            Place::Shared => None,
        };
        Ok(Arc::new(Agent {
            place,
            state_dir,
            started: Instant::now(),
            cgroup,
            reaper: Reaper::start()?,
            table: Mutex::new(Table::default()),
            frozen: Mutex::new(false),
        }))
    }

    /// Answers hosts over `io` until it ends.
    pub async fn serve<T>(self: &Arc<Self>, io: T) -> io::Result<()>
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
    {
        let agent = self.clone();
        crate::link::serve(io, move |stream| serve::stream(agent.clone(), stream)).await
    }
}

fn fail(code: FailureCode, message: impl Into<String>) -> Failure {
    Failure { code, message: message.into() }
}

/// An operating system error as a failure: what was tried, with which thing.
fn os(error: &io::Error, doing: impl std::fmt::Display) -> Failure {
    use FailureCode::*;
    let code = match error.raw_os_error() {
        Some(libc::ENOENT) => NotFound,
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => PermissionDenied,
        Some(libc::EEXIST | libc::ENOTEMPTY) => AlreadyExists,
        Some(libc::EISDIR) => IsDirectory,
        Some(libc::ENOTDIR) => NotDirectory,
        Some(libc::ENOSPC | libc::EDQUOT) => DiskFull,
        Some(libc::ECONNREFUSED) => ConnectionRefused,
        Some(libc::EAGAIN) => TooManyProcesses,
        Some(libc::EINVAL | libc::ENAMETOOLONG | libc::ELOOP | libc::EXDEV) => InvalidRequest,
        _ => Internal,
    };
    fail(code, format!("cannot {doing}: {error}"))
}
