//! The size a build runs at, and whether it sees the network (`build_config`; note `memory_mib`).

use super::problem::{Fields, Problems};
use crate::Resources;
use crate::limits::{DISK_MB_MAX, DISK_MB_MIN, MEMORY_MB_MAX, MEMORY_MB_MIN, VCPUS_MAX};
use crate::resources::DISK_MB_DEFAULT;
use serde::{Deserialize, Serialize};

/// As asked; echoed in the published build object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildConfig {
    pub vcpus: u32,
    pub memory_mib: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mb: Option<u32>,
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub internet_access: bool,
}

impl Default for BuildConfig {
    /// What published clients send when the user said nothing.
    fn default() -> Self {
        Self { vcpus: 2, memory_mib: 512, disk_mb: None, internet_access: true }
    }
}

impl BuildConfig {
    pub(super) fn read(request: &Fields<'_>, problems: &mut Problems) -> Self {
        let mut config = Self::default();
        let Some(fields) = request.object("build_config", problems) else { return config };
        let mut size = |key: &str, least: u32, most: u32| {
            let number = fields.number(key, u64::from(least)..=u64::from(most), problems);
            number.and_then(|number| u32::try_from(number).ok())
        };
        config.vcpus = size("vcpus", 1, VCPUS_MAX).unwrap_or(config.vcpus);
        config.memory_mib = size("memory_mib", MEMORY_MB_MIN, MEMORY_MB_MAX).unwrap_or(config.memory_mib);
        config.disk_mb = size("disk_mb", DISK_MB_MIN, DISK_MB_MAX);
        config.internet_access = fields.flag("internet_access", problems).unwrap_or(true);
        config
    }

    pub fn resources(&self) -> Resources {
        let disk_mb = self.disk_mb.unwrap_or(DISK_MB_DEFAULT);
        Resources { vcpus: self.vcpus, memory_mb: self.memory_mib, disk_mb }
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_true(value: &bool) -> bool {
    *value
}
