//! Warm profiles: an artifact booted at one size, made ready and snapshotted.
//!
//! A cache. What is durable is the artifact; a profile is made by booting its clean disk, once per
//! key at a time whoever asks, and made again when anything in its key changes. It is written beside
//! its place, synced, and renamed into it, so what is in its place is whole.
//!
//! ```text
//! DIR/profiles/<key>/   profile.json · overlay.qcow2 · what the driver's snapshot consists of
//! DIR/profiles/<key>.making/   remains of a crash; removed at start
//! ```

mod make;
mod renew;
mod shelf;

pub use make::Progress;
pub use renew::{renew, unix_nanos};

use crate::driver::{DiskChain, Driver, Network, Restore};
use crate::journal::Journal;
use futures::future::{BoxFuture, FutureExt, Shared, WeakShared};
use nullspace_domain::ArtifactId;
use nullspace_domain::runtime::RuntimeConfig;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a machine is made from: an artifact that is on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub id: ArtifactId,
    pub disk: DiskChain,
    pub runtime: RuntimeConfig,
}

/// Size of a profile. The disk is not part of it: clones grow theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub vcpus: u32,
    pub memory_mb: u32,
}

/// Bounds of making and keeping profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Disk that profiles may take together before those used longest ago go. Those in use stay.
    pub disk_budget_bytes: u64,
    /// From power-on until the agent answers, at native speed.
    pub boot_within: Duration,
    /// The disk a template has while it starts, unless its artifact's is larger.
    pub disk_mb: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // A 512 MB template takes some 250 MB: room for eighty of them.
            disk_budget_bytes: 20 << 30,
            // An emulated guest on an idle host needs two seconds. On one with eight times more to do than
            // processors it was seen to need two minutes, and is then still worth waiting for.
            boot_within: Duration::from_secs(60),
            disk_mb: 1024,
        }
    }
}

/// Why there is no profile. It can be told to several callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The template's own doing. Holds the end of its start command's output: for the build's log, never
    /// for the server's.
    #[error("{0}")]
    NotReady(String),
    /// The host's doing.
    #[error("{0}")]
    Failed(String),
}

impl From<crate::driver::Error> for Error {
    fn from(error: crate::driver::Error) -> Self {
        Self::Failed(error.chain())
    }
}

/// A profile in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub key: String,
    directory: PathBuf,
    card: Card,
}

/// What `profile.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Card {
    artifact: ArtifactId,
    size: Size,
    disk_mb: u32,
    compatibility: String,
}

impl Profile {
    /// The size of the disk at the snapshot.
    pub fn disk_mb(&self) -> u32 {
        self.card.disk_mb
    }

    /// How to make a clone of it. The disk is the artifact's, as the caller has it.
    pub fn restore(&self, artifact: &Artifact, network: Network) -> Restore {
        Restore {
            snapshot: self.directory.clone(),
            disk: artifact.disk.clone().with_layer(self.directory.join(make::OVERLAY)),
            disk_mb: self.card.disk_mb,
            vcpus: self.card.size.vcpus,
            memory_mb: self.card.size.memory_mb,
            network,
        }
    }
}

/// A profile that is not evicted while this exists.
#[derive(Debug)]
pub struct Held {
    key: String,
    shelf: Arc<shelf::Shelf>,
}

impl Held {
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shelf.release(&self.key);
    }
}

type Outcome = BoxFuture<'static, Result<Profile, Error>>;

/// All profiles of one data directory.
pub struct Profiles {
    driver: Arc<dyn Driver>,
    journal: Journal,
    settings: Settings,
    shelf: Arc<shelf::Shelf>,
    /// Kept alive by those who wait: a profile nobody waits for any more is not made to its end.
    making: Mutex<BTreeMap<String, WeakShared<Outcome>>>,
}

impl Profiles {
    /// Opens the profiles under `root` and removes remains of a crash.
    pub fn open(
        root: &Path,
        driver: Arc<dyn Driver>,
        journal: Journal,
        settings: Settings,
    ) -> Result<Self, crate::driver::Error> {
        let shelf = Arc::new(shelf::Shelf::open(root)?);
        Ok(Self { driver, journal, settings, shelf, making: Mutex::default() })
    }

    pub fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    /// The profile of an artifact at a size, made first where it is missing. Whoever asks for the
    /// same one meanwhile waits for the same one; when nobody waits any more, making it ends. The
    /// profile stays until `Held` is dropped. `progress` hears of it only if this call begins it.
    pub async fn ensure(&self, artifact: &Artifact, size: Size, progress: Progress) -> Result<(Profile, Held), Error> {
        let key = self.key(&artifact.id, size);
        let held = self.hold(&key);
        if let Some(card) = self.shelf.card(&key) {
            let directory = self.shelf.place(&key);
            return Ok((Profile { key, directory, card }, held));
        }
        let profile = self.made(&key, artifact, size, progress).await?;
        Ok((profile, held))
    }

    /// Keeps a profile from being evicted, also one that is not there yet.
    pub fn hold(&self, key: &str) -> Held {
        self.shelf.hold(key);
        Held { key: key.to_owned(), shelf: self.shelf.clone() }
    }

    /// Removes profiles of artifacts that are not in `keep`, unless they are in use.
    pub fn sweep(&self, keep: &[ArtifactId]) {
        for directory in self.shelf.sweep(|card| keep.contains(&card.artifact)) {
            self.driver.forget_snapshot(&directory);
        }
    }

    async fn made(&self, key: &str, artifact: &Artifact, size: Size, progress: Progress) -> Result<Profile, Error> {
        let making = {
            let mut all = self.making.lock().expect("nothing panics while holding the list");
            all.retain(|_, making| making.upgrade().is_some_and(|making| making.peek().is_none()));
            match all.get(key).and_then(WeakShared::upgrade) {
                Some(making) => making,
                None => {
                    let making = self.begin(key, artifact, size, progress);
                    all.extend(making.downgrade().map(|weak| (key.to_owned(), weak)));
                    making
                }
            }
        };
        making.await
    }

    fn begin(&self, key: &str, artifact: &Artifact, size: Size, progress: Progress) -> Shared<Outcome> {
        let maker = make::Maker {
            driver: self.driver.clone(),
            journal: self.journal.clone(),
            settings: self.settings.clone(),
            shelf: self.shelf.clone(),
            progress,
        };
        let (key, artifact) = (key.to_owned(), artifact.clone());
        async move { maker.make(&key, &artifact, size).await }.boxed().shared()
    }

    fn key(&self, artifact: &ArtifactId, size: Size) -> String {
        let mut hash = Sha256::new();
        let parts = (artifact, size, self.driver.name(), self.driver.compatibility());
        hash.update(serde_json::to_vec(&parts).expect("plain data"));
        hex::encode(&hash.finalize()[..16])
    }
}
