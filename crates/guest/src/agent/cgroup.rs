//! The control group that every user process lives in, so that a fork bomb or a memory hog stays
//! below what the agent needs, and so that all of them can be frozen at once.

use super::kernel;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: &str = "/sys/fs/cgroup";

/// How long the kernel gets to freeze everything; it takes milliseconds.
const FREEZE_MAX: Duration = Duration::from_secs(5);

/// Kept for the kernel and the agent, of what is there before any user process is: a sixteenth, within
/// these. Less, and the whole machine runs out of memory before the group does.
const RESERVE_MIN: u64 = 8 * 1024 * 1024;
const RESERVE_MAX: u64 = 128 * 1024 * 1024;

/// A process costs the kernel 100 KiB or more, so small machines allow fewer.
const PROCESSES_PER_MIB: u64 = 4;
const PROCESSES_LEAST: u64 = 256;
const PROCESSES_MOST: u64 = 4096;

/// Where user processes live.
#[derive(Debug, Clone)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes the group and sets its bounds; `None` where the kernel has no cgroup2.
    pub fn create() -> Option<Cgroup> {
        let path = Path::new(ROOT).join("user");
        // Each controller by itself: one that is missing must not keep the others away.
        for controller in ["+pids", "+memory", "+cpu"] {
            let _ = fs::write(Path::new(ROOT).join("cgroup.subtree_control"), controller);
        }
        fs::create_dir_all(&path).ok()?;
        let group = Cgroup { path };
        group.path.join("cgroup.procs").exists().then_some(())?;
        let _ = group.set("pids.max", &pids_max(kernel::memory_total()).to_string());
        let _ = group.set("memory.max", &memory_max(kernel::memory_field("MemAvailable")).to_string());
        Some(group)
    }

    /// The file to write a process id to.
    pub fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Stops every process in the group and waits until all have stopped.
    pub async fn freeze(&self) -> io::Result<()> {
        self.set("cgroup.freeze", "1")?;
        let frozen = async {
            while !fs::read_to_string(self.path.join("cgroup.events"))?.contains("frozen 1") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(FREEZE_MAX, frozen).await {
            Ok(result) => result,
            Err(_) => {
                self.thaw()?;
                Err(io::Error::new(io::ErrorKind::TimedOut, "the processes did not stop"))
            }
        }
    }

    /// Lets them run again.
    pub fn thaw(&self) -> io::Result<()> {
        self.set("cgroup.freeze", "0")
    }

    /// Ends every process in the group.
    pub fn kill(&self) -> io::Result<()> {
        self.set("cgroup.kill", "1")
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(file), value)
    }
}

fn pids_max(memory: u64) -> u64 {
    (memory / (1024 * 1024) * PROCESSES_PER_MIB).clamp(PROCESSES_LEAST, PROCESSES_MOST)
}

fn memory_max(available: u64) -> u64 {
    available - (available / 16).clamp(RESERVE_MIN, RESERVE_MAX).min(available / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_processes_never_get_all_the_memory() {
        let mib = 1024 * 1024;
        for memory in [16, 64, 128, 512, 4096, 65_536].map(|size| size * mib) {
            assert!(memory_max(memory) < memory);
            assert!(memory_max(memory) >= memory / 2);
            assert!((PROCESSES_LEAST..=PROCESSES_MOST).contains(&pids_max(memory)));
        }
        assert_eq!(memory_max(512 * mib), 480 * mib);
        assert_eq!(pids_max(512 * mib), 2048);
    }
}
