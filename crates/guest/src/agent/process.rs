//! Starting a program and watching it to its end.

use super::log::Cursor;
use super::table::{Next, Process};
use super::users::{Identity, Users};
use super::{Agent, fail};
use crate::protocol::{Exec, Exit, Failure, FailureCode, start_of};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

/// Where programs are looked for when a request does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Read from one pipe before somebody else gets a turn.
const TURN: usize = 256 * 1024;

/// Whether a process is the host's to list, read and signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    Listed,
    /// The agent's own business. Its output is not kept.
    Unlisted,
}

/// Starts a program.
pub fn start(agent: &Arc<Agent>, exec: &Exec, listing: Listing) -> Result<Arc<Process>, Failure> {
    let identity = Users::load().resolve(exec.user.as_deref())?;
    let cwd = working_directory(exec, &identity)?;
    let mut command = prepare(exec, &identity)?;
    let setting = Setting::new(agent, identity, &cwd)?;
    // SAFETY: `enter` only makes system calls; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(move || setting.enter()) };

    // A program that joins a frozen group would never get to its first instruction, and its starter
    // waits for that.
    let frozen = agent.frozen.lock().expect("no panic under this lock");
    if *frozen {
        return Err(fail(FailureCode::Internal, "the machine is frozen for a snapshot"));
    }
    agent.table.lock().expect("no panic under this lock").check_room()?;
    let mut child = command.spawn().map_err(|error| cannot_start(exec, &cwd, &error))?;
    let status = agent.reaper.expect(child.id());
    drop(frozen);

    let stdin = child.stdin.take().map(|end| pipe::Sender::from_owned_fd(OwnedFd::from(end))).transpose();
    let stdout = child.stdout.take().map(|end| pipe::Receiver::from_owned_fd(OwnedFd::from(end))).transpose();
    let stderr = child.stderr.take().map(|end| pipe::Receiver::from_owned_fd(OwnedFd::from(end))).transpose();
    let (Ok(stdin), Ok(Some(stdout)), Ok(Some(stderr))) = (stdin, stdout, stderr) else {
        // The agent has no descriptor left. The program is not wanted without its output.
        Process::new(child.id(), "", None).signal(libc::SIGKILL);
        return Err(fail(FailureCode::Internal, "cannot watch the program's output"));
    };
    let process = Process::new(child.id(), &shown(exec), stdin);
    if listing == Listing::Listed {
        agent.table.lock().expect("no panic under this lock").insert(process.clone());
    }
    let timeout = (exec.timeout_ms > 0).then(|| Duration::from_millis(exec.timeout_ms));
    tokio::spawn(watch(agent.clone(), process.clone(), status, stdout, stderr, timeout));
    Ok(process)
}

/// Waits until a process has ended. Ends it when the caller stops waiting.
pub async fn finish(process: &Process) -> Exit {
    let guard = KillOnDrop(process);
    let mut changes = process.changes();
    loop {
        changes.borrow_and_update();
        if let Some(exit) = process.exit() {
            std::mem::forget(guard);
            return exit;
        }
        // The process itself holds the other end.
        let _ = changes.changed().await;
    }
}

/// Ends a process that nobody waits for any more.
pub struct KillOnDrop<'a>(pub &'a Process);

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        if self.0.exit().is_none() {
            self.0.signal(libc::SIGKILL);
        }
    }
}

/// The next thing a process does after `cursor`.
pub async fn next(process: &Process, cursor: &mut Cursor) -> Next {
    let mut changes = process.changes();
    loop {
        changes.borrow_and_update();
        match process.next(cursor) {
            Next::Nothing => {}
            next => return next,
        }
        // The process itself holds the other end.
        let _ = changes.changed().await;
    }
}

/// Collects output until the process has ended, notes its end, and then goes on collecting: what it
/// left behind may still write, and would be killed by a closed pipe or stand still at a full one.
async fn watch(
    agent: Arc<Agent>,
    process: Arc<Process>,
    mut status: oneshot::Receiver<ExitStatus>,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    timeout: Option<Duration>,
) {
    let mut stdout = Some(stdout);
    let mut stderr = Some(stderr);
    let mut timed_out = false;
    let deadline = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let mut deadline = std::pin::pin!(deadline);
    let status = loop {
        tokio::select! {
            status = &mut status => break status,
            () = &mut deadline, if !timed_out => {
                timed_out = true;
                process.signal(libc::SIGKILL);
            }
            () = readable(&stdout) => collect(&agent, &process, &mut stdout, false, TURN, noticed),
            () = readable(&stderr) => collect(&agent, &process, &mut stderr, true, TURN, noticed),
        }
    };
    // What it wrote is in the pipes by now, and no more than they hold. The runtime may not have noticed
    // yet: the end of one process is also collected at the signal of another.
    for (pipe, is_stderr) in [(&mut stdout, false), (&mut stderr, true)] {
        let waiting = pipe.as_ref().map_or(0, in_pipe);
        collect(&agent, &process, pipe, is_stderr, waiting, at_once);
    }
    // The reaper lives as long as the agent.
    let status = status.unwrap_or_default();
    let signal = status.signal();
    let code = status.code().unwrap_or_else(|| 128 + signal.unwrap_or_default());
    agent.table.lock().expect("no panic under this lock").end(&process, Exit { code, signal, timed_out });
    process.stdin.lock().await.take();

    while stdout.is_some() || stderr.is_some() {
        tokio::select! {
            () = readable(&stdout) => collect(&agent, &process, &mut stdout, false, TURN, noticed),
            () = readable(&stderr) => collect(&agent, &process, &mut stderr, true, TURN, noticed),
        }
    }
}

/// A way to read a pipe without waiting.
type Read = fn(&pipe::Receiver, &mut [u8]) -> io::Result<usize>;

/// Reads what the runtime has noticed, and tells it when there is nothing left.
fn noticed(pipe: &pipe::Receiver, into: &mut [u8]) -> io::Result<usize> {
    pipe.try_read(into)
}

/// Reads what is there, noticed or not.
fn at_once(pipe: &pipe::Receiver, into: &mut [u8]) -> io::Result<usize> {
    nix::unistd::read(pipe, into).map_err(io::Error::from)
}

async fn readable(pipe: &Option<pipe::Receiver>) {
    match pipe {
        // An error shows itself when it is read.
        Some(pipe) => drop(pipe.readable().await),
        None => std::future::pending().await,
    }
}

/// Moves up to `most` bytes from a pipe to the log, and closes the pipe at its end.
fn collect(
    agent: &Agent,
    process: &Arc<Process>,
    pipe: &mut Option<pipe::Receiver>,
    stderr: bool,
    most: usize,
    read: Read,
) {
    let Some(open) = pipe else { return };
    let mut buffer = [0; 16 * 1024];
    let mut left = most;
    while left > 0 {
        let piece = &mut buffer[..left.min(16 * 1024)];
        match read(open, piece) {
            Ok(0) => return *pipe = None,
            Ok(length) => {
                agent.table.lock().expect("no panic under this lock").append(process, stderr, &piece[..length]);
                left -= length;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return *pipe = None,
        }
    }
}

/// Bytes that wait in a pipe.
fn in_pipe(pipe: &pipe::Receiver) -> usize {
    let mut waiting: libc::c_int = 0;
    // SAFETY: `waiting` is valid for writing for the length of the call.
    let asked = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &mut waiting) };
    if asked == 0 { usize::try_from(waiting).unwrap_or(0) } else { TURN }
}

fn prepare(exec: &Exec, identity: &Identity) -> Result<Command, Failure> {
    let invalid = |message: &str| Err(fail(FailureCode::InvalidRequest, message));
    if exec.command.is_empty() {
        return invalid("the command is empty");
    }
    let zero = |text: &String| text.contains('\0');
    if zero(&exec.command) || exec.args.iter().any(zero) || exec.envs.values().any(zero) {
        return invalid("a zero byte is in the command, its arguments or its environment");
    }
    if exec.envs.keys().any(|name| name.is_empty() || name.contains(['\0', '='])) {
        return invalid("the name of an environment variable is empty or has a character it cannot have");
    }
    let mut command = if exec.shell {
        if !exec.args.is_empty() {
            return invalid("a shell command has no arguments");
        }
        if !Path::new("/bin/sh").exists() {
            return Err(fail(FailureCode::NoShell, "the image has no /bin/sh"));
        }
        let mut command = Command::new("/bin/sh");
        command.arg0("sh").arg("-c").arg(&exec.command);
        command
    } else {
        let mut command = Command::new(&exec.command);
        command.args(&exec.args);
        command
    };
    command.env_clear().env("PATH", PATH).env("HOME", &identity.home).env("USER", &identity.name);
    command.env("LANG", "C.UTF-8").envs(&exec.envs);
    command.stdin(if exec.stdin { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn working_directory(exec: &Exec, identity: &Identity) -> Result<PathBuf, Failure> {
    if let Some(cwd) = &exec.cwd {
        return match std::fs::metadata(cwd) {
            _ if !cwd.starts_with('/') => {
                Err(fail(FailureCode::InvalidRequest, format!("the working directory `{cwd}` is not absolute")))
            }
            Ok(found) if found.is_dir() => Ok(cwd.into()),
            Ok(_) => Err(fail(FailureCode::NotDirectory, format!("the working directory `{cwd}` is not a directory"))),
            Err(error) => Err(super::os(&error, format_args!("use the working directory `{cwd}`"))),
        };
    }
    let usual = [Path::new("/workspace"), &identity.home];
    Ok(usual.into_iter().find(|path| path.is_dir()).unwrap_or(Path::new("/")).into())
}

fn cannot_start(exec: &Exec, cwd: &Path, error: &io::Error) -> Failure {
    let code = match error.raw_os_error() {
        Some(libc::EAGAIN) => FailureCode::TooManyProcesses,
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE) => FailureCode::Internal,
        _ => FailureCode::CannotExec,
    };
    let program = if exec.shell { "/bin/sh" } else { &exec.command };
    fail(code, format!("cannot run `{}` in `{}`: {error}", start_of(program, 256), cwd.display()))
}

fn shown(exec: &Exec) -> String {
    let words = std::iter::once(&exec.command).chain(&exec.args);
    words.map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// What a program is put into before its first instruction. All of it is made ready beforehand,
/// because between `fork` and `exec` nothing may allocate.
struct Setting {
    procs: Option<File>,
    identity: Identity,
    cwd: CString,
    /// Whether the agent may become somebody else.
    root: bool,
}

impl Setting {
    fn new(agent: &Agent, identity: Identity, cwd: &Path) -> Result<Setting, Failure> {
        use std::os::unix::ffi::OsStrExt;
        let procs = match &agent.cgroup {
            Some(group) => Some(
                File::options()
                    .write(true)
                    .open(group.procs())
                    .map_err(|error| super::os(&error, "open the control group of user processes"))?,
            ),
            None => None,
        };
        let cwd = CString::new(cwd.as_os_str().as_bytes())
            .map_err(|_| fail(FailureCode::InvalidRequest, "a zero byte is in the working directory"))?;
        // SAFETY: takes and changes nothing.
        let root = unsafe { libc::geteuid() } == 0;
        Ok(Setting { procs, identity, cwd, root })
    }

    fn enter(&self) -> io::Result<()> {
        use super::kernel::check;
        // SAFETY: every pointer is to something that `self` owns, and lives through the call.
        unsafe {
            // A session of its own is a process group of its own, to be signalled as one.
            check(libc::setsid())?;
            if let Some(mut procs) = self.procs.as_ref() {
                procs.write_all(b"0")?;
            }
            // The agent is the last to go when memory is short; what it starts is not.
            let score = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if score >= 0 {
                libc::write(score, c"0".as_ptr().cast(), 1);
                libc::close(score);
            }
            check(libc::chdir(self.cwd.as_ptr()))?;
            if self.root {
                check(libc::setgroups(self.identity.groups.len(), self.identity.groups.as_ptr()))?;
            }
            if self.root || libc::getegid() != self.identity.gid {
                check(libc::setresgid(self.identity.gid, self.identity.gid, self.identity.gid))?;
            }
            if self.root || libc::geteuid() != self.identity.uid {
                check(libc::setresuid(self.identity.uid, self.identity.uid, self.identity.uid))?;
            }
        }
        Ok(())
    }
}
