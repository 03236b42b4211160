//! Starts the processes that outlive a server, and watches them. Descriptors, user id, namespaces
//! and limits are set in the child, before it becomes the program, and cannot be regained by it.

use crate::driver::Error;
use crate::journal::Process;
use crate::network::Entrance;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// What a program may complain about before the rest is dropped. Guests can make a VMM talk.
const COMPLAINTS_MAX: i64 = 64 * 1024;

/// Between two looks at a process that is ending.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Below the server, so that sandboxes cannot starve it.
const NICENESS: i32 = 5;

/// The kernel ends machines before it ends the server.
const OOM_SCORE: &[u8] = b"500";

/// A process that was started, or found again.
#[derive(Debug)]
pub struct Watched {
    pub process: Process,
    pidfd: AsyncFd<OwnedFd>,
    /// What it complained about; none for one that was found again.
    complaints: Option<OwnedFd>,
}

/// How to start one.
pub struct Launch<'a> {
    pub program: &'a OsStr,
    pub arguments: Vec<OsString>,
    /// Stay open in the program, under the same numbers.
    pub descriptors: Vec<RawFd>,
    /// Takes `/proc/self/stat` of the process before it becomes the program, so that there is no
    /// moment in which it runs and is not written down.
    pub record: RawFd,
    pub entrance: Arc<Entrance>,
    pub identity: Identity,
}

/// Whom it runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The server's user, with its rights.
    Server,
    /// Without any right beyond a plain user's, and less important than the server. `uid` is a user
    /// of its own, if the server may give it one.
    Confined { uid: Option<u32>, groups: Vec<libc::gid_t> },
}

impl Watched {
    /// Starts a program.
    pub fn launch(launch: Launch<'_>) -> Result<Self, Error> {
        let name = launch.program.to_string_lossy().into_owned();
        let complaints = bounded_sink().map_err(Error::system("make room for a program's complaints"))?;
        let stderr = complaints.try_clone().map_err(Error::system("make room for a program's complaints"))?;
        let mut command = Command::new(launch.program);
        command.args(&launch.arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
        let child = Child {
            inherited: launch.descriptors,
            record: launch.record,
            identity: launch.identity,
            entrance: launch.entrance,
        };
        // SAFETY: `Child::prepare` only makes system calls on memory that was allocated before the
        // fork, so it cannot meet a lock that another thread held then.
        unsafe { command.pre_exec(move || child.prepare()) };
        let child = command.spawn().map_err(|source| Error::Spawn { program: name, source })?;
        let pid = i32::try_from(child.id()).expect("a pid fits");
        let process = crate::journal::running(pid)
            .ok_or_else(|| Error::Ended { doing: "start", detail: read_complaints(&complaints) })?;
        Self::watch(process, Some(complaints))
    }

    /// Takes up a process that an earlier server started. The caller has made sure that it is the one.
    pub fn found(process: Process) -> Result<Self, Error> {
        let watched = Self::watch(process, None)?;
        // The descriptor is of whoever had the pid when it was opened; look again now that it is held.
        if crate::journal::running(process.pid) == Some(process) {
            Ok(watched)
        } else {
            Err(Error::Ended { doing: "be found again", detail: String::new() })
        }
    }

    fn watch(process: Process, complaints: Option<OwnedFd>) -> Result<Self, Error> {
        let pidfd = open(process.pid).map_err(Error::system("watch a process"))?;
        // SAFETY: the descriptor stays open for as long as it is registered, because both are owned here.
        let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, tokio::io::Interest::READABLE) }
            .map_err(|error| Error::system("watch a process")(error.into()))?;
        Ok(Self { process, pidfd, complaints })
    }

    /// Whether the process has ended. One system call.
    pub fn has_ended(&self) -> bool {
        has_ended(self.pidfd.get_ref())
    }

    /// Returns when the process has ended, and takes its remains from the process table.
    pub async fn ended(&self) {
        while !self.has_ended() {
            match self.pidfd.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                // Only when the runtime itself is going away.
                Err(_) => return,
            }
        }
        // The descriptor can be readable a moment before the last of several threads is gone.
        while !reap(self.pidfd.get_ref()) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Kills the process. It is gone a moment later.
    pub fn kill(&self) {
        kill(self.pidfd.get_ref());
    }

    /// What the program itself complained about, for an error's text.
    pub fn complaints(&self) -> String {
        self.complaints.as_ref().map(read_complaints).unwrap_or_default()
    }
}

/// Kills a process that may have been started by anybody, and waits until it is gone. Blocks; gives
/// false when it is not gone in time.
pub fn end(process: Process, within: Duration) -> bool {
    let Ok(pidfd) = open(process.pid) else { return true };
    // The descriptor is of whoever had the pid when it was opened; look again now that it is held.
    if crate::journal::running(process.pid) != Some(process) {
        return true;
    }
    let begun = Instant::now();
    kill(&pidfd);
    while !(has_ended(&pidfd) && reap(&pidfd)) {
        if begun.elapsed() > within {
            return false;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    true
}

fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; a descriptor that it gives is ours alone.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd as RawFd)) }
    }
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid entry, and no waiting.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 }
}

/// Signals the very process that the descriptor names, whatever happened to its pid since.
fn kill(pidfd: &OwnedFd) {
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a plain system call on an open descriptor.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), libc::SIGKILL, nothing, 0) };
}

/// Takes an ended process from the process table. True when nothing of it is left there, also
/// because it never was our child.
fn reap(pidfd: &OwnedFd) -> bool {
    // SAFETY: the kernel fills in a structure that is large enough, and all zeros are a valid one.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG;
        let outcome = libc::waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, &mut info, flags);
        outcome != 0 || info.si_pid() != 0
    }
}

/// What the child does between fork and exec.
struct Child {
    inherited: Vec<RawFd>,
    record: RawFd,
    identity: Identity,
    entrance: Arc<Entrance>,
}

impl Child {
    fn prepare(&self) -> io::Result<()> {
        // SAFETY: every call is a plain system call that is allowed after a fork, on memory that
        // outlives it.
        unsafe {
            // Of its own session: a terminal's signals are for the server.
            check(libc::setsid())?;
            self.write_process()?;
            if matches!(self.identity, Identity::Confined { .. }) {
                write_once(c"/proc/self/oom_score_adj", OOM_SCORE)?;
                libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
            }
            let nothing = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            check(libc::setrlimit(libc::RLIMIT_CORE, &nothing))?;
            self.entrance.enter()?;
            if let Identity::Confined { uid, groups } = &self.identity {
                if let Some(uid) = *uid {
                    check(libc::setgroups(groups.len(), groups.as_ptr()))?;
                    check(libc::setresgid(uid, uid, uid))?;
                    check(libc::setresuid(uid, uid, uid))?;
                }
                drop_capabilities()?;
                check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            }
            for fd in &self.inherited {
                check(libc::fcntl(*fd, libc::F_SETFD, 0))?;
            }
        }
        Ok(())
    }

    /// Pid and start time, in the kernel's own words: neither changes when the program does.
    unsafe fn write_process(&self) -> io::Result<()> {
        let mut line = [0u8; 1024];
        // SAFETY: see `prepare`.
        unsafe {
            let stat = check(libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC))?;
            let length = libc::read(stat, line.as_mut_ptr().cast(), line.len());
            libc::close(stat);
            if length <= 0 || libc::write(self.record, line.as_ptr().cast(), length as usize) != length {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// Leaves nothing to regain by starting a program: matters where the VMM runs as root of a user
/// namespace, because a new program would get every capability back there.
unsafe fn drop_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let (header, nothing) = (Header { version: VERSION_3, pid: 0 }, [0u32; 6]);
    // SAFETY: see `Child::prepare`. The kernel reads both for the length of the call.
    unsafe {
        // Ends with an error at the first number that is no capability, or at once without the right.
        for capability in 0..64 {
            if libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 {
                break;
            }
        }
        if libc::syscall(libc::SYS_capset, &raw const header, nothing.as_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

unsafe fn write_once(path: &std::ffi::CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: see `Child::prepare`.
    unsafe {
        let fd = check(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
        let written = libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        libc::close(fd);
        if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// A system call's outcome as a result.
pub fn check(outcome: libc::c_int) -> io::Result<libc::c_int> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) }
}

/// A file that takes so many bytes and no more.
fn bounded_sink() -> io::Result<OwnedFd> {
    // SAFETY: plain system calls; the descriptor is ours alone.
    unsafe {
        let fd = check(libc::memfd_create(c"complaints".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING))?;
        let fd = OwnedFd::from_raw_fd(fd);
        check(libc::ftruncate(fd.as_raw_fd(), COMPLAINTS_MAX))?;
        check(libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_GROW | libc::F_SEAL_SHRINK))?;
        Ok(fd)
    }
}

fn read_complaints(sink: &OwnedFd) -> String {
    let mut bytes = vec![0u8; 2048];
    // SAFETY: the buffer is as long as said.
    let length = unsafe { libc::pread(sink.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    bytes.truncate(usize::try_from(length).unwrap_or(0));
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().replace('\n', "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn start(program: &str, arguments: &[&str]) -> (tempfile::NamedTempFile, Watched) {
        let record = tempfile::NamedTempFile::new().unwrap();
        let watched = Watched::launch(Launch {
            program: OsStr::new(program),
            arguments: arguments.iter().map(Into::into).collect(),
            descriptors: Vec::new(),
            record: record.as_file().as_raw_fd(),
            entrance: Arc::new(Entrance::Host),
            identity: Identity::Server,
        });
        (record, watched.unwrap())
    }

    #[tokio::test]
    async fn a_process_is_written_down_by_itself_and_leaves_no_zombie() {
        let (record, watched) = start("sleep", &["600"]).await;
        let line = std::fs::read_to_string(record.path()).unwrap();
        assert_eq!(crate::journal::parse_stat(&line), Some(watched.process));
        assert!(!watched.has_ended());
        watched.kill();
        watched.ended().await;
        assert!(watched.has_ended());
        assert_eq!(crate::journal::running(watched.process.pid), None);
    }

    #[tokio::test]
    async fn complaints_are_kept_up_to_a_bound() {
        let (_record, watched) = start("sh", &["-c", "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1"]).await;
        watched.ended().await;
        assert!(watched.complaints().starts_with("xxx"));
        assert!(watched.complaints().len() <= 2048);
    }
}
