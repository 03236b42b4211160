//! Which artifact a finished build came to, by the key of everything that went into it.
//!
//! One small file each, `DIR/<key>`, holding the artifact's id. Losing one costs a rebuild.

use super::keys::Key;
use nullspace_domain::ArtifactId;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Entries are 60 bytes; the oldest go beyond this many.
const ENTRIES_MAX: usize = 10_000;

/// Finished builds of one host.
#[derive(Debug)]
pub struct Results {
    directory: PathBuf,
}

impl Results {
    pub fn open(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// What a build with this key came to. The artifact may be gone since.
    pub fn find(&self, key: &Key) -> Option<ArtifactId> {
        let text = std::fs::read_to_string(self.directory.join(key.as_str())).ok()?;
        ArtifactId::parse(text.trim()).ok()
    }

    pub fn keep(&self, key: &Key, artifact: &ArtifactId) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(artifact.as_str().as_bytes())?;
        file.persist(self.directory.join(key.as_str()))?;
        self.trim(ENTRIES_MAX)
    }

    fn trim(&self, entries_max: usize) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            entries.push((modified, entry.path()));
        }
        entries.sort();
        let surplus = entries.len().saturating_sub(entries_max);
        for (_, path) in entries.into_iter().take(surplus) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_found_by_its_key_and_the_oldest_goes_first() {
        let directory = tempfile::tempdir().unwrap();
        let results = Results::open(directory.path()).unwrap();
        let keys: Vec<_> = (0..3).map(|n| Key::base("x", n, true)).collect();
        let artifact = ArtifactId::from_body("1");
        for key in &keys {
            results.keep(key, &artifact).unwrap();
        }
        assert_eq!(results.find(&keys[0]), Some(artifact));
        let oldest = std::fs::File::options().write(true).open(directory.path().join(keys[1].as_str())).unwrap();
        oldest.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        results.trim(2).unwrap();
        assert_eq!(results.find(&keys[1]), None);
        assert!(results.find(&keys[2]).is_some());
    }
}
