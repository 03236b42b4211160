//! Which name stands for which image: one small file a name.

use super::blobs::{BlobDigest, sync_directory};
use super::failed;
use super::name::ImageName;
use crate::api::{ImageError, ImageInfo};
use nullspace_domain::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A name in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// As it was given.
    pub name: String,
    /// The full form, which is what tells names apart.
    pub full: String,
    /// Digest of the manifest.
    pub manifest: String,
    pub size_bytes: u64,
    pub created_at: Timestamp,
    /// `registry`, `import` or `bootstrap`.
    pub source: String,
}

impl Record {
    pub fn info(&self) -> ImageInfo {
        ImageInfo {
            name: self.name.clone(),
            digest: self.manifest.clone(),
            size_bytes: self.size_bytes,
            created_at: self.created_at,
            source: self.source.clone(),
        }
    }
}

/// The names of one store.
#[derive(Debug, Clone)]
pub struct Records(PathBuf);

impl Records {
    pub fn open(directory: &Path) -> Result<Self, ImageError> {
        let path = directory.join("names");
        fs::create_dir_all(&path).map_err(failed(format!("make directory `{}`", path.display())))?;
        Ok(Self(path))
    }

    pub fn get(&self, name: &ImageName) -> Result<Option<Record>, ImageError> {
        read(&self.path(name)).map_err(failed(format!("read what `{}` is", name.given)))
    }

    pub fn put(&self, record: &Record, name: &ImageName) -> Result<(), ImageError> {
        let doing = || format!("write down what `{}` is", name.given);
        let mut file = tempfile::NamedTempFile::new_in(&self.0).map_err(failed(doing()))?;
        let bytes = serde_json::to_vec_pretty(record).expect("a record is plain data");
        file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(failed(doing()))?;
        file.persist(self.path(name)).map_err(|error| failed(doing())(error.error))?;
        sync_directory(&self.0)
    }

    /// Says whether it was there.
    pub fn remove(&self, name: &ImageName) -> Result<bool, ImageError> {
        match fs::remove_file(self.path(name)) {
            Ok(()) => sync_directory(&self.0).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(format!("forget `{}`", name.given))(error)),
        }
    }

    /// Every record, by name.
    pub fn list(&self) -> Result<Vec<Record>, ImageError> {
        let list = || {
            let mut records = Vec::new();
            for entry in fs::read_dir(&self.0)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "json") {
                    records.extend(read(&path)?);
                }
            }
            Ok(records)
        };
        let mut records: Vec<Record> = list().map_err(failed::<io::Error>("list images"))?;
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }

    fn path(&self, name: &ImageName) -> PathBuf {
        self.0.join(format!("{}.json", BlobDigest::finish(Sha256::new_with_prefix(name.full())).hex()))
    }
}

/// Nothing if the file is not there.
fn read(path: &Path) -> io::Result<Option<Record>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
