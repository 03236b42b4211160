//! How much memory and disk this host has for machines.

use std::io;
use std::path::Path;

/// What the host keeps for itself: its own programs, the server, and the page cache that restores live on.
const RESERVE_MB: u64 = 1024;
/// Of a large host an eighth, for the same.
const RESERVE_SHARE: u64 = 8;

/// Below this much free disk nothing is started: a machine's disk grows as it is written, and a full host
/// disk stops the server with all its machines.
pub const DISK_FLOOR_MB: u64 = 1024;

/// Room on the file system of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    pub total_mb: u64,
    /// What an ordinary user may still write.
    pub free_mb: u64,
}

/// Memory for machines, from the host's total and the limit that a control group sets. Pure.
pub fn memory_for_machines(host_mb: u64, group_limit_mb: Option<u64>) -> u64 {
    let total = group_limit_mb.map_or(host_mb, |limit| limit.min(host_mb));
    total.saturating_sub(RESERVE_MB.max(total / RESERVE_SHARE))
}

/// The host's memory, and what its control group leaves of it.
pub fn memory() -> io::Result<(u64, Option<u64>)> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let total = total_kib(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no MemTotal"))?;
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = limits.iter().find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    Ok((total / 1024, limit.map(|bytes| bytes >> 20)))
}

fn total_kib(meminfo: &str) -> Option<u64> {
    meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?.parse().ok()
}

/// Room under a directory.
pub fn disk(directory: &Path) -> io::Result<Disk> {
    let room = nix::sys::statvfs::statvfs(directory)?;
    let unit = room.fragment_size();
    Ok(Disk { total_mb: (room.blocks() * unit) >> 20, free_mb: (room.blocks_available() * unit) >> 20 })
}

/// Checks that there is room to start something; says what to do if not.
pub fn require(directory: &Path, floor_mb: u64) -> Result<(), String> {
    match disk(directory) {
        Ok(room) if room.free_mb < floor_mb => Err(format!(
            "{} MB are free under `{}` and {floor_mb} MB are kept free; remove images, templates or other files",
            room.free_mb,
            directory.display()
        )),
        Ok(_) => Ok(()),
        // It cannot be known; writing will say it.
        Err(error) => {
            tracing::warn!(%error, path = %directory.display(), "the room on the disk is unknown");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_and_a_control_group_counts() {
        assert_eq!(memory_for_machines(4096, None), 3072);
        assert_eq!(memory_for_machines(65_536, None), 57_344);
        assert_eq!(memory_for_machines(65_536, Some(4096)), 3072);
        assert_eq!(memory_for_machines(4096, Some(u64::MAX >> 20)), 3072);
        assert_eq!(memory_for_machines(512, None), 0);
    }

    #[test]
    fn this_host_has_memory_and_disk() {
        assert!(memory().unwrap().0 > 0);
        let disk = disk(Path::new("/")).unwrap();
        assert!(disk.total_mb >= disk.free_mb && disk.total_mb > 0);
        assert_eq!(require(Path::new("/"), 0), Ok(()));
        assert!(require(Path::new("/"), u64::MAX).unwrap_err().contains("remove images"));
        assert_eq!(total_kib("MemFree: 1 kB\nMemTotal:   16384 kB\n"), Some(16384));
    }
}
