//! Everything a running build has that must not outlive it, in one place, so that success, failure and
//! cancellation all end the same way.

use super::layers::{Hold, LayerId, LayerStore};
use crate::driver::{self, Boot, Driver, Machine};
use crate::journal::{Home, Journal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// One build's machine, its unfinished layer and its scratch file.
pub struct Site {
    driver: Arc<dyn Driver>,
    journal: Journal,
    layers: Arc<LayerStore>,
    home: Option<Home>,
    /// A boot goes on when the build is cancelled in its middle; it is bounded, and what it makes
    /// has to be ended.
    booting: Option<JoinHandle<Result<Arc<dyn Machine>, driver::Error>>>,
    machine: Option<Arc<dyn Machine>>,
    writable: Option<LayerId>,
    /// The layers that its disk stands on.
    held: Option<Arc<Hold>>,
    scratch: PathBuf,
}

impl Site {
    pub fn new(driver: Arc<dyn Driver>, journal: Journal, layers: Arc<LayerStore>, scratch: PathBuf) -> Self {
        Self { driver, journal, layers, home: None, booting: None, machine: None, writable: None, held: None, scratch }
    }

    /// Where the build may write its flattened disk.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Boots the build machine. `boot.overlay` is the file of `writable`.
    pub async fn boot(&mut self, name: &str, writable: LayerId, boot: Boot) -> Result<Arc<dyn Machine>, driver::Error> {
        assert!(self.home.is_none(), "a build has one machine");
        self.writable = Some(writable);
        let home = self.home.insert(self.journal.create(name, None, None)?).clone();
        let driver = self.driver.clone();
        let booting = self.booting.insert(tokio::spawn(async move { driver.boot(&home, boot).await }));
        let booted = booting.await;
        self.booting = None;
        let machine = booted.expect("a boot does not panic and nobody aborts it")?;
        self.machine = Some(machine.clone());
        Ok(machine)
    }

    /// Keeps the layers under the build's disk from removal until the build ends.
    pub fn hold(&mut self, below: Option<Arc<Hold>>) {
        self.held = below;
    }

    /// The layer that the machine writes now.
    pub fn writable(&self) -> &LayerId {
        self.writable.as_ref().expect("there is a writable layer while there is a machine")
    }

    /// The machine goes on with `next`; the one before is finished and is the caller's to keep.
    pub fn advance(&mut self, next: LayerId) -> LayerId {
        self.writable.replace(next).expect("there is a writable layer while there is a machine")
    }

    /// Ends the machine and removes everything that was not kept.
    pub async fn clear(mut self) {
        self.end_machine().await;
        if let Some(layer) = self.writable.take() {
            self.layers.discard(&layer);
        }
        match std::fs::remove_file(&self.scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.scratch.display(), %error, "cannot remove a build's scratch file");
            }
            _ => {}
        }
    }

    async fn end_machine(&mut self) {
        if let Some(booting) = self.booting.take()
            && let Ok(Ok(machine)) = booting.await
        {
            self.machine = Some(machine);
        }
        if let Some(machine) = self.machine.take()
            && let Err(error) = machine.kill().await
        {
            // The home stays, so that a restart finds the process and tries again.
            tracing::error!(error = %error.chain(), "cannot end a build machine");
            return;
        }
        if let Some(home) = self.home.take()
            && let Err(error) = home.remove()
        {
            tracing::warn!(error = %error.chain(), "cannot remove a build machine's home");
        }
    }
}
