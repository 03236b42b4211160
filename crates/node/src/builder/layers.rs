//! Cached steps: the disk difference each step made, found again by its key.
//!
//! ```text
//! DIR/<id>.qcow2   one step's blocks over its parent layer, or over the base disk
//! DIR/<id>.json    its key and its parent: written last, so a layer with a record is whole
//! ```
//!
//! A layer is written where it stays, by the machine whose disk it is. What has no record at `open` is of
//! an interrupted build and goes. Layers go least-recently-used first when they take more than
//! their budget, never one that another layer or a build stands on.

use super::keys::Key;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Why a layer could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{path}`", path = path.display())]
pub struct Error {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Names one layer. Random, because a build may make a layer for a key that already has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LayerId(String);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    key: String,
    parent: Option<LayerId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Layer {
    record: Record,
    bytes: u64,
    used: SystemTime,
}

#[derive(Debug, Default)]
struct State {
    layers: BTreeMap<LayerId, Layer>,
    /// The newest layer of each key.
    by_key: BTreeMap<String, LayerId>,
    holds: BTreeMap<LayerId, u32>,
}

/// The cached steps of one host.
#[derive(Debug)]
pub struct LayerStore {
    directory: PathBuf,
    budget_bytes: u64,
    state: Mutex<State>,
}

/// Keeps a layer, and those below it, from being removed.
#[derive(Debug)]
pub struct Hold {
    store: Arc<LayerStore>,
    id: LayerId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        if let Some(count) = state.holds.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                state.holds.remove(&self.id);
            }
        }
    }
}

impl Hold {
    pub fn id(&self) -> &LayerId {
        &self.id
    }
}

impl LayerStore {
    /// Opens the store, making it, and removes what interrupted builds left.
    pub fn open(directory: &Path, budget_bytes: u64) -> Result<Arc<Self>, Error> {
        std::fs::create_dir_all(directory).map_err(at("make directory", directory))?;
        let store = Self { directory: directory.to_owned(), budget_bytes, state: Mutex::default() };
        let found = store.read_records()?;
        let whole = with_parents(found);
        let mut names = BTreeSet::new();
        for id in whole.keys() {
            names.extend([store.path(id), store.record_path(id)]);
        }
        for entry in std::fs::read_dir(directory).map_err(at("list", directory))? {
            let path = entry.map_err(at("list", directory))?.path();
            if !names.contains(&path) {
                std::fs::remove_file(&path).map_err(at("remove", &path))?;
            }
        }
        {
            let mut state = store.lock();
            let mut by_age: Vec<_> = whole.iter().collect();
            by_age.sort_by_key(|(_, layer)| layer.used);
            state.by_key = by_age.into_iter().map(|(id, layer)| (layer.record.key.clone(), id.clone())).collect();
            state.layers = whole;
        }
        Ok(Arc::new(store))
    }

    /// The layer that a step with this key made, kept from removal while the answer lives.
    pub fn find(self: &Arc<Self>, key: &Key) -> Option<Hold> {
        let mut state = self.lock();
        let id = state.by_key.get(key.as_str())?.clone();
        state.layers.get_mut(&id)?.used = SystemTime::now();
        *state.holds.entry(id.clone()).or_default() += 1;
        drop(state);
        // The order of use outlives a restart as the record's time; losing one update costs nothing.
        let _ = std::fs::File::options()
            .write(true)
            .open(self.record_path(&id))
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(Hold { store: self.clone(), id })
    }

    /// Where a new layer is to be written. It is kept only after [`Self::keep`].
    pub fn new_layer(&self) -> LayerId {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system gives random bytes");
        LayerId(hex::encode(bytes))
    }

    pub fn path(&self, id: &LayerId) -> PathBuf {
        self.directory.join(format!("{}.qcow2", id.0))
    }

    /// The layer and those below it, lowest first.
    pub fn chain(&self, id: &LayerId) -> Vec<PathBuf> {
        let state = self.lock();
        let mut paths = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            paths.push(self.path(id));
            next = state.layers.get(id).and_then(|layer| layer.record.parent.as_ref());
        }
        paths.reverse();
        paths
    }

    /// Keeps a finished layer under a key, in place of an older one.
    pub fn keep(self: &Arc<Self>, id: LayerId, key: &Key, parent: Option<&LayerId>) -> Result<Hold, Error> {
        let record = Record { key: key.as_str().to_owned(), parent: parent.cloned() };
        let path = self.record_path(&id);
        let record_bytes = serde_json::to_vec(&record).expect("a record is plain data");
        let layer_path = self.path(&id);
        let bytes = seal(&layer_path).map_err(at("seal", &layer_path))?;
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            file.write_all(&record_bytes)?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(at("write", &path))?;
        let mut state = self.lock();
        state.by_key.insert(record.key.clone(), id.clone());
        state.layers.insert(id.clone(), Layer { record, bytes, used: SystemTime::now() });
        *state.holds.entry(id.clone()).or_default() += 1;
        drop(state);
        Ok(Hold { store: self.clone(), id })
    }

    /// Removes the file of a layer that was never kept.
    pub fn discard(&self, id: &LayerId) {
        let path = self.path(id);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // `open` removes it; there is nothing better to do now.
            Err(error) => tracing::warn!(path = %path.display(), %error, "cannot remove an unfinished layer"),
        }
    }

    /// Removes layers until the rest fits the budget.
    pub fn evict(&self) -> Result<(), Error> {
        let mut state = self.lock();
        for id in victims(&state, self.budget_bytes) {
            // The record first: a layer without one is removed at the next start at the latest.
            for path in [self.record_path(&id), self.path(&id)] {
                match std::fs::remove_file(&path) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(source) => return Err(Error { doing: "remove", path, source }),
                }
            }
            if let Some(layer) = state.layers.remove(&id)
                && state.by_key.get(&layer.record.key) == Some(&id)
            {
                state.by_key.remove(&layer.record.key);
            }
        }
        Ok(())
    }

    fn read_records(&self) -> Result<BTreeMap<LayerId, Layer>, Error> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.directory).map_err(at("list", &self.directory))? {
            let path = entry.map_err(at("list", &self.directory))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else { continue };
            let id = LayerId(name.to_owned());
            // One that cannot be read is as one that was never written.
            let Ok(record) =
                std::fs::read(&path).map_err(io::Error::other).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
            else {
                continue;
            };
            let (Ok(layer), Ok(times)) = (std::fs::metadata(self.path(&id)), std::fs::metadata(&path)) else {
                continue;
            };
            let used = times.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.insert(id, Layer { record, bytes: layer.blocks() * 512, used });
        }
        Ok(found)
    }

    fn record_path(&self, id: &LayerId) -> PathBuf {
        self.directory.join(format!("{}.json", id.0))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those whose whole line of parents is there.
fn with_parents(mut layers: BTreeMap<LayerId, Layer>) -> BTreeMap<LayerId, Layer> {
    loop {
        let orphans: Vec<_> = layers
            .iter()
            .filter(|(_, layer)| layer.record.parent.as_ref().is_some_and(|parent| !layers.contains_key(parent)))
            .map(|(id, _)| id.clone())
            .collect();
        if orphans.is_empty() {
            return layers;
        }
        for id in orphans {
            layers.remove(&id);
        }
    }
}

/// What to remove so that the rest fits: the least recently used that nothing stands on.
fn victims(state: &State, budget: u64) -> Vec<LayerId> {
    let mut left = state.layers.clone();
    let mut total: u64 = left.values().map(|layer| layer.bytes).sum();
    let mut victims = Vec::new();
    while total > budget {
        let parents: BTreeSet<_> = left.values().filter_map(|layer| layer.record.parent.clone()).collect();
        let oldest = left
            .iter()
            .filter(|(id, _)| !parents.contains(*id) && !state.holds.contains_key(*id))
            .min_by_key(|(_, layer)| layer.used)
            .map(|(id, _)| id.clone());
        let Some(id) = oldest else { break };
        total -= left.remove(&id).map_or(0, |layer| layer.bytes);
        victims.push(id);
    }
    victims
}

/// Makes a finished layer durable and nobody's to write: it was its machine's, and will be shared. Gives
/// the room it takes.
fn seal(path: &Path) -> io::Result<u64> {
    let file = std::fs::File::options().read(true).write(true).open(path)?;
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::fchown(&file, Some(0), Some(0))?;
    }
    file.set_permissions(std::fs::Permissions::from_mode(0o444))?;
    file.sync_all()?;
    Ok(file.metadata()?.blocks() * 512)
}

fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error { doing, path, source }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
