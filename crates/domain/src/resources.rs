//! What a machine is given.

use serde::{Deserialize, Serialize};

/// The disk a machine has when nobody says: 4 GiB, sparse.
pub const DISK_MB_DEFAULT: u32 = 4096;

/// CPU, memory and disk of one machine. MB on this wire means MiB, as everywhere in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resources {
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: u32,
}

impl Resources {
    /// Whether a machine of this size can stand in for one of the size asked for.
    ///
    /// Published clients always send 2 vCPUs and 512 MB when the user said nothing, so equality
    /// would make every larger pool useless (spec warm-pools §6).
    pub fn covers(&self, asked: &Resources) -> bool {
        self.vcpus >= asked.vcpus && self.memory_mb >= asked.memory_mb && self.disk_mb >= asked.disk_mb
    }
}
