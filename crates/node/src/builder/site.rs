//! Everything a running build has that must not outlive it, in one place, so that success, failure and
//! cancellation all end the same way.

use super::layers::{Hold, LayerId, LayerStore};
use crate::doomed::Doomed;
use crate::driver::{self, Boot, Driver, Machine};
use crate::journal::Journal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One build's machine, its unfinished layer and its scratch file.
pub struct Site {
    driver: Arc<dyn Driver>,
    journal: Journal,
    layers: Arc<LayerStore>,
    /// From before the machine boots until it has ended.
    machine: Option<Doomed>,
    writable: Option<LayerId>,
    /// The layers that its disk stands on.
    held: Option<Arc<Hold>>,
    scratch: PathBuf,
}

impl Site {
    pub fn new(driver: Arc<dyn Driver>, journal: Journal, layers: Arc<LayerStore>, scratch: PathBuf) -> Self {
        Self { driver, journal, layers, machine: None, writable: None, held: None, scratch }
    }

    /// Where the build may write its flattened disk.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Boots the build machine. `boot.overlay` is the file of `writable`.
    pub async fn boot(&mut self, name: &str, writable: LayerId, boot: Boot) -> Result<Arc<dyn Machine>, driver::Error> {
        assert!(self.machine.is_none(), "a build has one machine");
        self.writable = Some(writable);
        let doomed = self.machine.insert(Doomed::new(self.journal.create(name, None, None)?));
        self.driver.boot(doomed.home(), boot).await
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

    /// Ends the machine, if it has not ended by itself, and removes its home.
    pub async fn end_machine(&mut self) {
        if let Some(machine) = self.machine.take()
            && let Err(error) = machine.end().await
        {
            // Its home stays, so that the next start finds the process and tries again.
            tracing::error!(error = %error.chain(), "cannot end a build machine");
        }
    }

    /// Removes everything that was not kept.
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
}
