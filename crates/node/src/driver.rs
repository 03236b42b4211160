//! What a runtime must be able to do. Everything above this file (warm profiles, the machine
//! registry, builds) is written against it and knows no VMM and no container runtime.
//!
//! A driver makes a machine inside a `Home`, a journalled directory that holds everything the machine
//! owns, and answers with a `Machine`. A machine outlives the server: dropping its `Machine` leaves it
//! running, and `Driver::recover` finds it again from its home.

use crate::api::{GuestStream, Liveness};
use crate::journal::Home;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Makes machines of one kind.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// `microvm` or `container`.
    fn name(&self) -> &'static str;

    /// `kvm` or `emulation`; for containers the runtime's name.
    fn accelerator(&self) -> String;

    /// Said in plain words where machines are slower or less isolated than they could be.
    fn warnings(&self) -> Vec<String>;

    /// Everything that must be equal for a snapshot made then to be restored now.
    fn compatibility(&self) -> String;

    /// How much longer things take inside than on the host itself: timeouts of a template's author
    /// are multiplied by it. 1 at native speed.
    fn slowdown(&self) -> u32;

    /// Starts a machine from a clean disk. It runs when this returns, and its agent may not answer yet.
    async fn boot(&self, home: &Home, boot: Boot) -> Result<Arc<dyn Machine>, Error>;

    /// Starts a machine from a snapshot. It runs when this returns, is not unique yet, and no user
    /// process runs in it.
    async fn restore(&self, home: &Home, restore: Restore) -> Result<Arc<dyn Machine>, Error>;

    /// Finds the machine of a home that an earlier server made; `None` when its process is gone.
    async fn recover(&self, home: &Home) -> Result<Option<Arc<dyn Machine>>, Error>;

    /// Forgets what is kept in memory of a snapshot that will not be restored again.
    fn forget_snapshot(&self, directory: &Path);
}

/// One machine. Every call ends within a bound, whatever the guest does.
#[async_trait]
pub trait Machine: Send + Sync + 'static {
    /// Whether its process and its monitor are there. A few microseconds, and asks nobody.
    fn liveness(&self) -> Liveness;

    /// Returns when its process has ended.
    async fn ended(&self);

    /// Whether it is paused, from the runtime itself.
    async fn is_paused(&self) -> Result<bool, Error>;

    /// Stops its processors. It keeps its memory and costs no processor time.
    async fn pause(&self) -> Result<(), Error>;

    /// Lets its processors run.
    async fn resume(&self) -> Result<(), Error>;

    /// Ends it at once: machines are disposable. Its process is gone when this returns.
    async fn kill(&self) -> Result<(), Error>;

    /// Ends it without waiting, from a destructor.
    fn kill_now(&self);

    /// The byte pipe to its agent. One at a time: a new one ends the one before it.
    async fn dial(&self) -> Result<Box<dyn GuestStream>, Error>;

    /// Gives its root disk more room and tells the guest; the file system is the agent's part.
    /// Never makes it smaller.
    async fn grow_disk(&self, disk_mb: u32) -> Result<(), Error>;

    /// Closes the present writable layer and goes on with a new one. The closed layer is the file
    /// that `overlay` named, and the new one is made at `next`. The guest's file system must be
    /// frozen meanwhile, or the closed layer is as after a power cut.
    async fn checkpoint_disk(&self, next: &Path) -> Result<(), Error>;

    /// Writes its state to `directory`, which exists and is empty, and ends it. The agent must have
    /// frozen every user process before, and nobody may hold the pipe to it.
    async fn snapshot(&self, directory: &Path) -> Result<Snapshot, Error>;

    /// The end of what it printed on its console, bounded. Guest output: for a build's log, never for
    /// the server's.
    async fn console(&self) -> String;
}

/// A root disk: a raw ext4 image and the qcow2 layers over it, lowest first. All are read-only to
/// machines and may be shared by any number of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskChain {
    pub base: PathBuf,
    pub layers: Vec<PathBuf>,
}

impl DiskChain {
    /// A disk without layers.
    pub fn raw(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), layers: Vec::new() }
    }

    /// This disk with one more layer on top.
    pub fn with_layer(mut self, layer: impl Into<PathBuf>) -> Self {
        self.layers.push(layer.into());
        self
    }
}

/// A machine to be booted from a clean disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    pub disk: DiskChain,
    /// Where the writable layer is made. `None` keeps it in the machine's home, and it ends with it.
    pub overlay: Option<PathBuf>,
    /// The size of the root disk; never smaller than `disk` is.
    pub disk_mb: u32,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub network: Network,
    pub purpose: Purpose,
}

/// What a booted machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Steps of a build run in it; only its disk is kept.
    Build,
    /// It will be made ready and snapshotted.
    Snapshot,
}

/// A machine to be restored from a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// What `Machine::snapshot` wrote.
    pub snapshot: PathBuf,
    /// The disk of the machine that was snapshotted, with its writable layer as the highest.
    pub disk: DiskChain,
    /// Of the snapshotted machine; all three are fixed by it. `Machine::grow_disk` comes after.
    pub disk_mb: u32,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub network: Network,
}

/// What there is to know of a snapshot besides its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The size of the root disk.
    pub disk_mb: u32,
}

/// What a machine may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Public addresses; never the host or its networks.
    Public,
    /// Nothing.
    None,
}

impl Network {
    /// The tenant's word for it.
    pub fn from_internet_access(allowed: bool) -> Self {
        if allowed { Self::Public } else { Self::None }
    }
}

/// Why a driver could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} `{path}`", path = path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot start `{program}`")]
    Spawn {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the machine ended while it was asked to {doing}: {detail}")]
    Ended { doing: &'static str, detail: String },
    #[error("the machine did not {doing} within {seconds} s")]
    TimedOut { doing: &'static str, seconds: u64 },
    #[error("the runtime refused to {doing}: {detail}")]
    Refused { doing: String, detail: String },
    #[error("cannot {doing}")]
    System {
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    /// Wraps an IO error about a path.
    pub fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    /// Wraps an IO error that is about no path.
    pub fn system(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    /// The error and its causes as one line.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and its causes as one line, for the edges that put it into text.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
