//! The key that signs preview tokens: 32 random bytes in a file of its own, mode 0600.

use super::Error;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The signing key. Does not print itself.
pub struct Key(pub(super) [u8; 32]);

impl Key {
    /// Reads the key, or makes one: URLs signed before a restart stay good.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Files { path: path.to_owned(), source };
        match fs::read_to_string(path) {
            Ok(text) => {
                let damaged = |detail: String| Error::Damaged { path: path.to_owned(), detail };
                let bytes = hex::decode(text.trim()).map_err(|error| damaged(error.to_string()))?;
                let length = bytes.len();
                bytes.try_into().map(Self).map_err(|_| damaged(format!("{length} bytes instead of 32")))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut key = [0u8; 32];
                getrandom::fill(&mut key).map_err(Error::Random)?;
                // Written beside and renamed: half a key must never be read.
                let beside = path.with_extension("new");
                let mut file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&beside)
                    .map_err(failed)?;
                file.write_all(hex::encode(key).as_bytes()).map_err(failed)?;
                file.sync_all().map_err(failed)?;
                fs::rename(&beside, path).map_err(failed)?;
                Ok(Self(key))
            }
            Err(error) => Err(failed(error)),
        }
    }
}
