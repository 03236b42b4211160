//! What an embedded host can be told.

use crate::journal::UidRange;
use crate::{builder, images, kernel, network, profiles};
use std::path::PathBuf;

/// Where a host keeps its things, and how it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub data_dir: PathBuf,
    /// Memory for machines; none means the host's, less a reserve.
    pub memory_mb: Option<u64>,
    /// Free disk below which nothing is started.
    pub disk_floor_mb: u64,
    /// Builds that run at once; others wait. Each takes a machine of its job's size beyond what the control
    /// plane counts.
    pub builds_max: usize,
    /// The VMM's program; none means `qemu-system-x86_64`, wherever it is.
    pub qemu: Option<PathBuf>,
    pub system: kernel::Settings,
    pub network: network::Settings,
    pub uids: UidRange,
    pub images: images::Settings,
    pub profiles: profiles::Settings,
    pub builds: builder::Settings,
}

impl Settings {
    /// The defaults, with everything below one directory.
    pub fn in_directory(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            memory_mb: None,
            disk_floor_mb: crate::room::DISK_FLOOR_MB,
            builds_max: 2,
            qemu: None,
            system: kernel::Settings::default(),
            network: network::Settings::default(),
            uids: UidRange::default(),
            images: images::Settings::default(),
            profiles: profiles::Settings::default(),
            builds: builder::Settings::default(),
        }
    }
}
