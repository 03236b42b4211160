//! What builds made, on this host: root disks, stored once by content, and the manifests that name them.
//!
//! ```text
//! DIR/manifests/art_….json   what an artifact is; its id is the digest of these bytes
//! DIR/disks/<sha256>.raw     a root disk, read-only, shared by every manifest that names it
//! ```
//!
//! Everything here is written beside its place, synced, read back from the disk, and only then
//! given its name: a file under its name is whole. Calls block; run them off the async threads.

use crate::api::ArtifactInfo;
use crate::disk::content::{self, Content};
use nullspace_domain::ArtifactId;
use nullspace_domain::runtime::RuntimeConfig;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A build's outcome reaches the control plane's table within seconds. A sweep that was decided
/// before it did must not remove it.
const SWEEP_GRACE: Duration = Duration::from_secs(60);
/// Manifests hold a start command and default environment: 64 KiB each at most, with room.
const MANIFEST_MAX: u64 = 1024 * 1024;

/// Why an artifact could not be stored, found or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} `{path}`", path = path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("artifact `{0}` is not on this host")]
    NotFound(ArtifactId),
    #[error("artifact `{id}` is damaged: {detail}")]
    Damaged { id: ArtifactId, detail: String },
    #[error("the disk changed between writing `{path}` and reading it back", path = path.display())]
    ReadBack { path: PathBuf },
}

/// An artifact that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub info: ArtifactInfo,
    /// Raw ext4, read-only, never to be written.
    pub disk: PathBuf,
    /// Of the disk's content, as [`content::read`] computes it.
    pub disk_digest: String,
    /// The length of the disk, holes included.
    pub disk_size_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    disk: String,
    disk_size_bytes: u64,
    runtime: RuntimeConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_digest: Option<String>,
}

/// The artifacts of one host.
#[derive(Debug)]
pub struct ArtifactStore {
    manifests: PathBuf,
    disks: PathBuf,
    /// Held while a name appears or disappears, so that no sweep removes the disk of a manifest that is
    /// just being named.
    naming: Mutex<()>,
}

impl ArtifactStore {
    /// Opens the store in a directory, making it, and removes what an interrupted write left.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let store =
            Self { manifests: directory.join("manifests"), disks: directory.join("disks"), naming: Mutex::new(()) };
        for path in [&store.manifests, &store.disks] {
            fs::create_dir_all(path).map_err(io_error("make directory", path))?;
            for entry in entries(path)? {
                if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".tmp")) {
                    fs::remove_file(&entry).map_err(io_error("remove", &entry))?;
                }
            }
        }
        Ok(store)
    }

    /// Stores a raw, cleanly unmounted disk and says what became of it. Adding the same again gives the same
    /// artifact, and equal disks take room once.
    pub fn add(&self, disk: &Path, runtime: RuntimeConfig, base_digest: Option<String>) -> Result<ArtifactInfo, Error> {
        let stored = self.store_disk(disk)?;
        let manifest = Manifest {
            version: 1,
            disk: stored.digest.clone(),
            disk_size_bytes: stored.size_bytes,
            runtime,
            base_digest,
        };
        let bytes = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        let id = artifact_id(&bytes);
        let path = self.manifest_path(&id);
        let temporary = temporary(&self.manifests)?;
        let write = |mut file: &File| file.write_all(&bytes).and_then(|()| file.sync_all());
        write(temporary.as_file()).map_err(io_error("write", &path))?;
        {
            let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
            // A sweep may have passed since the disk was stored; it leaves young disks, so this one is here.
            temporary.persist(&path).map_err(|error| Error::Io {
                doing: "name",
                path: path.clone(),
                source: error.error,
            })?;
            sync_directory(&self.manifests)?;
        }
        self.get(&id).map(|artifact| artifact.info).ok_or(Error::NotFound(id))
    }

    /// An artifact, if its manifest is whole and its disk has the right length. [`Self::verify`] reads the disk too.
    pub fn get(&self, id: &ArtifactId) -> Option<Artifact> {
        self.read(id).ok()
    }

    /// Reads a whole artifact and compares it with its id.
    pub fn verify(&self, id: &ArtifactId) -> Result<(), Error> {
        let artifact = self.read(id)?;
        let found = content::read(&artifact.disk).map_err(io_error("read", &artifact.disk))?;
        if found.digest != artifact.disk_digest {
            let detail = format!("its disk holds {}, not {}", found.digest, artifact.disk_digest);
            return Err(Error::Damaged { id: id.clone(), detail });
        }
        Ok(())
    }

    /// Every artifact that is here.
    pub fn list(&self) -> Result<Vec<ArtifactId>, Error> {
        let mut ids: Vec<_> = entries(&self.manifests)?.iter().filter_map(|path| id_of(path)).collect();
        ids.sort();
        Ok(ids)
    }

    /// Removes artifacts not named in `keep`, and disks that none of the rest names. What was added within the
    /// last minute stays: its row may be on its way.
    pub fn sweep(&self, keep: &[ArtifactId]) -> Result<Vec<ArtifactId>, Error> {
        self.sweep_older_than(keep, SWEEP_GRACE)
    }

    fn sweep_older_than(&self, keep: &[ArtifactId], grace: Duration) -> Result<Vec<ArtifactId>, Error> {
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let mut removed = Vec::new();
        let mut disks_kept = std::collections::BTreeSet::new();
        for path in entries(&self.manifests)? {
            let Some(id) = id_of(&path) else { continue };
            if keep.contains(&id) || is_younger(&path, grace) {
                // One that cannot be read names no disk that anything could use.
                disks_kept.extend(self.read(&id).ok().map(|artifact| artifact.disk));
            } else {
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
                removed.push(id);
            }
        }
        for path in entries(&self.disks)? {
            if !disks_kept.contains(&path) && !is_younger(&path, grace) {
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
            }
        }
        removed.sort();
        Ok(removed)
    }

    fn store_disk(&self, disk: &Path) -> Result<Content, Error> {
        let temporary = temporary(&self.disks)?;
        let copied = content::copy(disk, temporary.as_file()).map_err(io_error("store disk", disk))?;
        let path = self.disk_path(&copied.digest);
        let finish = |file: &File| -> io::Result<()> {
            file.set_permissions(fs::Permissions::from_mode(0o444))?;
            file.sync_all()?;
            forget_cached(file);
            Ok(())
        };
        finish(temporary.as_file()).map_err(io_error("write", &path))?;
        let found = content::read(temporary.path()).map_err(io_error("read back", &path))?;
        if found != copied {
            return Err(Error::ReadBack { path });
        }
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        // Renaming over an equal disk is harmless (whoever has the old one open keeps it), repairs a damaged
        // one, and makes it young again for the sweep.
        temporary.persist(&path).map_err(|error| Error::Io { doing: "name", path, source: error.error })?;
        sync_directory(&self.disks)?;
        Ok(copied)
    }

    fn read(&self, id: &ArtifactId) -> Result<Artifact, Error> {
        let path = self.manifest_path(id);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() <= MANIFEST_MAX => {}
            Ok(_) => return Err(damaged(id, "its manifest is too long")),
            Err(_) => return Err(Error::NotFound(id.clone())),
        }
        let bytes = fs::read(&path).map_err(io_error("read", &path))?;
        if artifact_id(&bytes) != *id {
            return Err(damaged(id, "its manifest does not have its digest"));
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(id, error.to_string()))?;
        let disk = self.disk_path(&manifest.disk);
        match fs::metadata(&disk) {
            Ok(metadata) if metadata.len() == manifest.disk_size_bytes => {}
            Ok(metadata) => return Err(damaged(id, format!("its disk is {} bytes long", metadata.len()))),
            Err(error) => return Err(damaged(id, format!("its disk cannot be read: {error}"))),
        }
        let disk_bytes = content::occupied(&disk).map_err(io_error("read", &disk))?;
        Ok(Artifact {
            info: ArtifactInfo {
                id: id.clone(),
                runtime: manifest.runtime,
                disk_bytes,
                base_digest: manifest.base_digest,
            },
            disk,
            disk_digest: manifest.disk,
            disk_size_bytes: manifest.disk_size_bytes,
        })
    }

    fn manifest_path(&self, id: &ArtifactId) -> PathBuf {
        self.manifests.join(format!("{id}.json"))
    }

    fn disk_path(&self, digest: &str) -> PathBuf {
        self.disks.join(format!("{}.raw", digest.trim_start_matches("sha256:")))
    }
}

/// 208 bits of the manifest's digest: no collision will be met, and the id fits a file name.
fn artifact_id(manifest: &[u8]) -> ArtifactId {
    ArtifactId::from_body(&hex::encode(Sha256::digest(manifest))[..52])
}

fn id_of(manifest: &Path) -> Option<ArtifactId> {
    ArtifactId::parse(manifest.file_name()?.to_str()?.strip_suffix(".json")?).ok()
}

fn damaged(id: &ArtifactId, detail: impl Into<String>) -> Error {
    Error::Damaged { id: id.clone(), detail: detail.into() }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { doing, path, source }
}

fn temporary(directory: &Path) -> Result<tempfile::NamedTempFile, Error> {
    tempfile::Builder::new().prefix(".tmp").tempfile_in(directory).map_err(io_error("write in", directory))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    read().map_err(io_error("list", directory))
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(io_error("sync", path))
}

fn is_younger(path: &Path, than: Duration) -> bool {
    let age =
        fs::metadata(path).and_then(|metadata| metadata.modified()).map(|at| SystemTime::now().duration_since(at));
    // A clock that went backwards makes everything young, which keeps rather than removes.
    matches!(age, Ok(Ok(age)) if age < than) || matches!(age, Ok(Err(_)))
}

/// Drops a synced file from the page cache, so that reading it back asks the disk where the system takes advice.
fn forget_cached(file: &File) {
    let _ = nix::fcntl::posix_fadvise(file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

#[cfg(test)]
mod tests;
