//! Root disks: an image's layers become one raw, sparse ext4 file that any machine can start from.

pub mod content;

use std::path::PathBuf;

/// A clean file system with an image's files, ready to be the backing of a machine's disk. Never written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootDisk {
    /// Raw ext4, sparse.
    pub path: PathBuf,
    /// Of its content, as [`content::read`] computes it.
    pub digest: String,
    /// Its length, holes included.
    pub size_bytes: u64,
}
