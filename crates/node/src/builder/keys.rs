//! Cache keys: equal keys mean that running the step again would make the same layer. Pure.
//!
//! A key is made of the key before it, the rendered step (with the contents and modes of what it
//! copies, its user and working directory) and the envs it sees. The host's certificates and proxies
//! are not in it: they decide whether a download works, not what it brings.

use super::work::Work;
use nullspace_domain::runtime::RuntimeConfig;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Changes when the same work would come to a different result than before.
const VERSION: u32 = 1;

/// The digest of everything that led to a disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Lower-case hex, so that it can be a file name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(parts: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(&(VERSION, parts)).expect("keys are made of strings and numbers");
        Self(hex::encode(Sha256::digest(bytes)))
    }

    /// Of a base disk before any step. `disk_mb` is in it because layers are block differences of
    /// one disk size, and `internet_access` because a step may do without what it cannot fetch.
    pub fn base(disk_identity: &str, disk_mb: u32, internet_access: bool) -> Self {
        Self::of(&("base", disk_identity, disk_mb, internet_access))
    }

    /// Of the disk after one more step.
    #[must_use]
    pub fn then(&self, work: &Work, envs: &BTreeMap<String, String>) -> Self {
        Self::of(&("step", &self.0, work, envs))
    }

    /// Of the artifact that a disk and a runtime make together.
    pub fn artifact(&self, runtime: &RuntimeConfig) -> Self {
        Self::of(&("artifact", &self.0, runtime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::work::{Content, Copy, Entry, Target};
    use std::path::PathBuf;

    fn copy(sha256: &str, mode: u32, source: &str) -> Work {
        let content = Content::File { sha256: sha256.to_owned(), source: PathBuf::from(source) };
        let entries = vec![Entry { path: "a".to_owned(), mode, content }];
        Work::Copy { copies: vec![Copy { target: Target::Into("/".to_owned()), owner: None, entries }] }
    }

    #[test]
    fn a_key_depends_on_contents_modes_envs_and_parents_and_not_on_where_bytes_lie() {
        let none = BTreeMap::new();
        let base = Key::base("sha256:1", 4096, true);
        let key = base.then(&copy("s", 0o644, "/blobs/1"), &none);
        assert_eq!(key, base.then(&copy("s", 0o644, "/elsewhere"), &none));
        let different = [
            base.then(&copy("t", 0o644, "/blobs/1"), &none),
            base.then(&copy("s", 0o755, "/blobs/1"), &none),
            base.then(&copy("s", 0o644, "/blobs/1"), &[("A".to_owned(), "1".to_owned())].into()),
            Key::base("sha256:2", 4096, true).then(&copy("s", 0o644, "/blobs/1"), &none),
            key.then(&copy("s", 0o644, "/blobs/1"), &none),
        ];
        for other in different {
            assert_ne!(key, other);
        }
    }
}
