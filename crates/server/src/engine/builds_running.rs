//! Builds that run or wait now, and how those who follow one hear of news.

use nullspace_domain::BuildId;
use nullspace_node::api::Cancel;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::{RwLock, Semaphore, watch};

pub struct BuildsRunning {
    /// As many as run at once; the others wait in order.
    pub slots: Semaphore,
    /// Shared by builds, taken alone by a sweep: an artifact exists before its row says so.
    pub artifacts: RwLock<()>,
    running: Mutex<BTreeMap<BuildId, Running>>,
}

struct Running {
    cancel: Cancel,
    /// The offset of the next log entry.
    progress: watch::Sender<u64>,
}

impl BuildsRunning {
    pub fn new(at_once: usize) -> Self {
        Self { slots: Semaphore::new(at_once), artifacts: RwLock::new(()), running: Mutex::default() }
    }

    /// A build begins. Returns what ends it early.
    pub fn begin(&self, id: &BuildId) -> Cancel {
        let cancel = Cancel::new();
        let running = Running { cancel: cancel.clone(), progress: watch::Sender::new(0) };
        self.with(|all| all.insert(id.clone(), running));
        cancel
    }

    /// The build has a terminal entry. Followers are woken by the end of its channel.
    pub fn end(&self, id: &BuildId) {
        self.with(|all| all.remove(id));
    }

    pub fn cancel(&self, id: &BuildId) {
        self.with(|all| all.get(id).map(|running| running.cancel.cancel()));
    }

    pub fn cancel_all(&self) {
        self.with(|all| all.values().for_each(|running| running.cancel.cancel()));
    }

    /// Entries below this offset are in the store.
    pub fn wrote(&self, id: &BuildId, next_offset: u64) {
        self.with(|all| all.get(id).map(|running| running.progress.send_replace(next_offset)));
    }

    /// None when the build has ended.
    pub fn progress(&self, id: &BuildId) -> Option<watch::Receiver<u64>> {
        self.with(|all| all.get(id).map(|running| running.progress.subscribe()))
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<BuildId, Running>) -> T) -> T {
        look(&mut self.running.lock().expect("nothing panics with the lock held"))
    }
}
