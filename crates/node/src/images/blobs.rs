//! Blobs: manifests, configurations and layers, each stored once under the digest of its bytes.
//!
//! ```text
//! DIR/blobs/<sha256>      whole and verified
//! DIR/partial/<sha256>    as far as a pull came; continued by the next one
//! ```

use super::failed;
use crate::api::ImageError;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A pull that was not tried again for a week will not be.
const PARTIAL_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The name of a blob: SHA-256 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDigest(String);

impl BlobDigest {
    /// Takes `sha256:` and 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix("sha256:")?;
        let legal = body.len() == 64 && body.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        legal.then(|| Self(body.to_owned()))
    }

    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    pub fn finish(hash: Sha256) -> Self {
        Self(hex::encode(hash.finalize()))
    }

    /// Without the algorithm; legal as a file name.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

/// The blobs of one store.
#[derive(Debug, Clone)]
pub struct Blobs {
    whole: PathBuf,
    partial: PathBuf,
}

impl Blobs {
    pub fn open(directory: &Path) -> Result<Self, ImageError> {
        let blobs = Self { whole: directory.join("blobs"), partial: directory.join("partial") };
        for path in [&blobs.whole, &blobs.partial] {
            fs::create_dir_all(path).map_err(failed(format!("make directory `{}`", path.display())))?;
        }
        Ok(blobs)
    }

    pub fn path(&self, digest: &BlobDigest) -> PathBuf {
        self.whole.join(digest.hex())
    }

    pub fn partial_path(&self, digest: &BlobDigest) -> PathBuf {
        self.partial.join(digest.hex())
    }

    pub fn has(&self, digest: &BlobDigest) -> bool {
        self.path(digest).is_file()
    }

    /// Every blob that is here.
    pub fn list(&self) -> Result<Vec<BlobDigest>, ImageError> {
        let read = || fs::read_dir(&self.whole)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let names = read().map_err(failed("list the blobs of the image store"))?;
        Ok(names.iter().filter_map(|name| BlobDigest::parse(&format!("sha256:{}", name.to_str()?))).collect())
    }

    pub fn remove(&self, digest: &BlobDigest) -> Result<(), ImageError> {
        fs::remove_file(self.path(digest)).map_err(failed(format!("remove blob {digest}")))
    }

    /// Removes what pulls left and nobody went on with.
    pub fn remove_old_partials(&self) -> Result<(), ImageError> {
        let remove = || {
            for entry in fs::read_dir(&self.partial)? {
                let entry = entry?;
                let age = SystemTime::now().duration_since(entry.metadata()?.modified()?);
                if age.is_ok_and(|age| age > PARTIAL_AGE_MAX) {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        remove().map_err(failed::<io::Error>("remove old partial layers"))
    }

    /// Reads a small blob, and holds that it is what its name says.
    pub fn read(&self, digest: &BlobDigest, most: u64) -> Result<Vec<u8>, ImageError> {
        let doing = || format!("read blob {digest}");
        let mut bytes = Vec::new();
        let file = File::open(self.path(digest)).map_err(failed(doing()))?;
        file.take(most + 1).read_to_end(&mut bytes).map_err(failed(doing()))?;
        if bytes.len() as u64 > most || BlobDigest::of(&bytes) != *digest {
            return Err(failed(doing())(io::Error::other("it does not hold what its name says")));
        }
        Ok(bytes)
    }

    /// Stores bytes under their digest.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobDigest, ImageError> {
        self.put_from(bytes).map(|(digest, _)| digest)
    }

    /// Stores all that a reader gives under its digest, and says how long it is.
    pub fn put_from(&self, mut from: impl Read) -> Result<(BlobDigest, u64), ImageError> {
        let doing = "write to the image store";
        let mut file = tempfile::NamedTempFile::new_in(&self.partial).map_err(failed(doing))?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let count = from.read(&mut buffer).map_err(failed("read what is put into the image store"))?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(failed(doing))?;
            length += count as u64;
        }
        let digest = BlobDigest::finish(hash);
        file.as_file().sync_all().map_err(failed(doing))?;
        file.persist(self.path(&digest)).map_err(|error| failed(doing)(error.error))?;
        sync_directory(&self.whole)?;
        Ok((digest, length))
    }

    /// Names a blob whose partial file was verified.
    pub fn finish_partial(&self, digest: &BlobDigest) -> Result<(), ImageError> {
        let doing = || format!("store blob {digest}");
        fs::rename(self.partial_path(digest), self.path(digest)).map_err(failed(doing()))?;
        sync_directory(&self.whole)
    }
}

pub(super) fn sync_directory(path: &Path) -> Result<(), ImageError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed(format!("sync `{}`", path.display())))
}
