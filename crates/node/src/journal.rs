//! What every machine owns, written down before it exists.
//!
//! A machine's things are in one directory of its own, its *home*, which disappears with it:
//!
//! ```text
//! DIR/machines/<name>/        0700
//!   entry.json                what it is, for which boot of the host, under which uid; written first
//!   lock                      locked by its process for as long as that lives: the truth about liveness
//!   process                   pid and start time, written by the process itself before it becomes the VMM
//!   …                         whatever the driver keeps: sockets, the writable disk layer
//! ```
//!
//! So a server that is killed between any two steps leaves nothing that the next one cannot find. A
//! process is signalled only when pid, start time and boot id all match.

use crate::api::MachineSpec;
use crate::driver::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// User ids that VMMs may run under, one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UidRange {
    pub first: u32,
    pub count: u32,
}

impl Default for UidRange {
    /// Above what distributions hand out to people and below their subordinate ids, as many as one
    /// host will ever run machines.
    fn default() -> Self {
        Self { first: 231_072, count: 16_384 }
    }
}

/// All machines' homes of one data directory.
#[derive(Debug, Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    boot_id: String,
    /// None when the server is not root: everything then runs as the server's user.
    uids: Option<UidRange>,
    uids_taken: Mutex<BTreeSet<u32>>,
    /// How many machines are being ended by nobody who waits.
    endings: watch::Sender<usize>,
}

/// Counts as an ending while it exists.
#[derive(Debug)]
pub struct Ending {
    journal: Journal,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.journal.inner.endings.send_modify(|count| *count -= 1);
    }
}

/// One machine's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    /// Of the host, when the machine was made: pids mean nothing after a reboot.
    pub boot_id: String,
    pub uid: Option<u32>,
    pub phase: Phase,
    /// None for machines that make builds and warm profiles; those do not survive their server.
    pub spec: Option<MachineSpec>,
    /// The warm profile it was restored from: in use while the machine is.
    pub profile: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Something of it may exist. Found so after a restart, it is ended.
    Making,
    /// It was unique and had answered.
    Ready,
}

/// A process that is surely the one that was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks since the host's boot.
    pub start_time: u64,
}

impl Journal {
    /// Opens the homes under `root`, making it if needed.
    pub fn open(root: &Path, uids: UidRange) -> Result<Self, Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(Error::file("make the directory", root))?;
        let root = root.canonicalize().map_err(Error::file("resolve", root))?;
        let uids = nix::unistd::geteuid().is_root().then_some(uids);
        let (endings, _) = watch::channel(0);
        let inner = Inner { root, boot_id: boot_id()?, uids, uids_taken: Mutex::default(), endings };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes down that a machine is about to be made and makes its home.
    pub fn create(&self, name: &str, spec: Option<MachineSpec>, profile: Option<String>) -> Result<Home, Error> {
        assert!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
            "a machine's name is an id, which needs no escaping in a path"
        );
        let directory = self.inner.root.join(name);
        let uid = self.take_uid()?;
        let made = fs::DirBuilder::new().mode(0o700).create(&directory).map_err(Error::file("make", &directory));
        if let Err(error) = made {
            self.release_uid(uid);
            return Err(error);
        }
        let entry = Entry {
            name: name.to_owned(),
            boot_id: self.inner.boot_id.clone(),
            uid,
            phase: Phase::Making,
            spec,
            profile,
        };
        let home = Home { journal: self.clone(), directory, entry };
        if let Err(error) = home.write() {
            home.remove()?;
            return Err(error);
        }
        Ok(home)
    }

    /// As `create`, for a machine that no server but this one will look for. What a machine of the same
    /// kind left behind, or is still leaving, is not in its way.
    pub fn create_passing(&self, kind: &str) -> Result<Home, Error> {
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix).map_err(|error| Error::Unavailable(format!("no random numbers: {error}")))?;
        self.create(&format!("{kind}_{}", hex::encode(suffix)), None, None)
    }

    /// Every home that is there, for a server that has just started. Remains without a readable
    /// entry never had a process and are removed here.
    pub fn homes(&self) -> Result<Vec<Home>, Error> {
        let root = &self.inner.root;
        let mut homes = Vec::new();
        for found in fs::read_dir(root).map_err(Error::file("list", root))? {
            let directory = found.map_err(Error::file("list", root))?.path();
            let entry = fs::read(directory.join("entry.json"))
                .ok()
                .and_then(|text| serde_json::from_slice::<Entry>(&text).ok())
                .filter(|entry| directory.file_name() == Some(entry.name.as_ref()));
            match entry {
                Some(entry) => {
                    if let Some(uid) = entry.uid {
                        self.taken().insert(uid);
                    }
                    homes.push(Home { journal: self.clone(), directory, entry });
                }
                None => fs::remove_dir_all(&directory).map_err(Error::file("remove", &directory))?,
            }
        }
        homes.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
        Ok(homes)
    }

    /// Returns when no machine is being ended in the background: for whoever stopped making one and
    /// promises that nothing of it is left.
    pub async fn settled(&self) {
        let settled = self.inner.endings.subscribe().wait_for(|count| *count == 0).await.map(|_| ());
        settled.expect("the journal keeps the sender");
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, BTreeSet<u32>> {
        self.inner.uids_taken.lock().expect("nothing panics while holding the set of uids")
    }

    fn take_uid(&self) -> Result<Option<u32>, Error> {
        let Some(range) = self.inner.uids else { return Ok(None) };
        let mut taken = self.taken();
        // Servers with other data directories on the same host begin elsewhere.
        let mut hash = std::hash::DefaultHasher::new();
        self.inner.root.hash(&mut hash);
        let begin = (hash.finish() % u64::from(range.count.max(1))) as u32;
        let free = (0..range.count)
            .map(|step| {
                range.first.saturating_add(((u64::from(begin) + u64::from(step)) % u64::from(range.count)) as u32)
            })
            .find(|uid| !taken.contains(uid));
        let Some(uid) = free else {
            return Err(Error::Unavailable(format!("all {} user ids for machines are in use", range.count)));
        };
        taken.insert(uid);
        Ok(Some(uid))
    }

    fn release_uid(&self, uid: Option<u32>) {
        if let Some(uid) = uid {
            self.taken().remove(&uid);
        }
    }
}

/// One machine's directory and its entry.
#[derive(Debug, Clone)]
pub struct Home {
    journal: Journal,
    directory: PathBuf,
    entry: Entry,
}

impl Home {
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The user id its process runs under; none means the server's own.
    pub fn uid(&self) -> Option<u32> {
        self.entry.uid
    }

    /// Writes down that the machine can be kept over a restart.
    pub fn mark_ready(&mut self) -> Result<(), Error> {
        self.entry.phase = Phase::Ready;
        self.write()
    }

    /// The lock that says whether its process lives. The caller hands it to the process and closes
    /// its own copy.
    pub fn lock(&self) -> Result<OwnedFd, Error> {
        let path = self.file("lock");
        let file = open_private(&path).map_err(Error::file("open", &path))?;
        // SAFETY: the descriptor is open for the whole call.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            return Err(Error::file("lock", &path)(std::io::Error::last_os_error()));
        }
        Ok(file.into())
    }

    /// Whether a process of this home lives.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.file("lock")) else { return false };
        // SAFETY: the descriptor is open for the whole call. The lock ends with it.
        unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) != 0 }
    }

    /// Where the process writes `/proc/self/stat` before it becomes the VMM.
    pub fn process_file(&self) -> Result<OwnedFd, Error> {
        let path = self.file("process");
        Ok(open_private(&path).map_err(Error::file("open", &path))?.into())
    }

    /// The process that was written down, if it surely still is that process.
    pub fn process(&self) -> Option<Process> {
        if self.entry.boot_id != self.journal.inner.boot_id || !self.is_locked() {
            return None;
        }
        let written = parse_stat(&fs::read_to_string(self.file("process")).ok()?)?;
        (running(written.pid)? == written).then_some(written)
    }

    /// Says that this machine is being ended, until the answer is dropped.
    pub fn ending(&self) -> Ending {
        self.journal.inner.endings.send_modify(|count| *count += 1);
        Ending { journal: self.journal.clone() }
    }

    /// Removes the directory with everything in it. Only when the process is gone.
    pub fn remove(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", &self.directory)(error))
            }
            _ => {
                self.journal.release_uid(self.entry.uid);
                Ok(())
            }
        }
    }

    fn write(&self) -> Result<(), Error> {
        let path = self.file("entry.json");
        let text = serde_json::to_vec(&self.entry).expect("an entry is plain data");
        write_whole(&path, &text).map_err(Error::file("write", &path))
    }
}

/// Writes a file so that readers see the old one or the new one. It need not survive a power cut:
/// neither does what it describes.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let next = path.with_extension("next");
    fs::write(&next, bytes)?;
    fs::rename(&next, path)
}

fn open_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Identifies this boot of the host.
pub fn boot_id() -> Result<String, Error> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    Ok(fs::read_to_string(path).map_err(Error::file("read", path))?.trim().to_owned())
}

/// The process with this pid, as it is now.
pub fn running(pid: i32) -> Option<Process> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Pid and start time from a line of `/proc/PID/stat`. The second field is the program's name in
/// parentheses and may hold anything, so fields are counted from the last parenthesis.
pub fn parse_stat(line: &str) -> Option<Process> {
    let pid = line.split(' ').next()?.parse().ok()?;
    let rest = &line[line.rfind(')')? + 1..];
    // Field 22 of the line is the 20th after the name.
    let start_time = rest.split_ascii_whitespace().nth(19)?.parse().ok()?;
    Some(Process { pid, start_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> (tempfile::TempDir, Journal) {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(&directory.path().join("machines"), UidRange::default()).unwrap();
        (directory, journal)
    }

    #[test]
    fn a_home_is_found_again_and_leaves_nothing() {
        let (directory, journal) = journal();
        let mut home = journal.create("ins_1", None, Some("p".into())).unwrap();
        home.mark_ready().unwrap();
        let again = Journal::open(&directory.path().join("machines"), UidRange::default()).unwrap();
        let found = again.homes().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].entry(), home.entry());
        assert_eq!(found[0].entry().phase, Phase::Ready);
        found[0].remove().unwrap();
        assert_eq!(fs::read_dir(directory.path().join("machines")).unwrap().count(), 0);
    }

    #[test]
    fn two_live_homes_never_share_a_uid_also_after_a_restart() {
        let (directory, journal) = journal();
        let first = journal.create("ins_1", None, None).unwrap();
        let again = Journal::open(&directory.path().join("machines"), UidRange::default()).unwrap();
        again.homes().unwrap();
        let second = again.create("ins_2", None, None).unwrap();
        if nix::unistd::geteuid().is_root() {
            assert!(first.uid().is_some());
            assert_ne!(first.uid(), second.uid());
        } else {
            assert_eq!((first.uid(), second.uid()), (None, None));
        }
    }

    #[test]
    fn the_lock_tells_whether_the_process_lives() {
        let (_directory, journal) = journal();
        let home = journal.create("ins_1", None, None).unwrap();
        assert!(!home.is_locked());
        let lock = home.lock().unwrap();
        assert!(home.is_locked());
        assert!(home.lock().is_err());
        drop(lock);
        assert!(!home.is_locked());
    }

    #[test]
    fn a_process_with_another_start_time_is_not_ours() {
        let (_directory, journal) = journal();
        let home = journal.create("ins_1", None, None).unwrap();
        let _lock = home.lock().unwrap();
        let line = fs::read_to_string("/proc/self/stat").unwrap();
        fs::write(home.file("process"), &line).unwrap();
        let myself = home.process().unwrap();
        assert_eq!(myself.pid, std::process::id() as i32);
        let other = line.replace(&myself.start_time.to_string(), &(myself.start_time + 1).to_string());
        fs::write(home.file("process"), other).unwrap();
        assert_eq!(home.process(), None);
    }

    #[test]
    fn a_program_name_cannot_forge_the_start_time() {
        let line = "7 (a) S 1 (x) ) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";
        assert_eq!(parse_stat(line), Some(Process { pid: 7, start_time: 4242 }));
    }

    #[test]
    fn remains_without_an_entry_are_removed() {
        let (directory, journal) = journal();
        let remains = directory.path().join("machines/ins_half");
        fs::create_dir(&remains).unwrap();
        assert!(journal.homes().unwrap().is_empty());
        assert!(!remains.exists());
    }
}
