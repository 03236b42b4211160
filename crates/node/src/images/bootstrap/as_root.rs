//! Runs a program as root of a namespace of its own: the host's root, or an ordinary user's.
//!
//! In its own namespaces a program leaves no mounts and no children behind, however it ends. And it ends
//! with this server, or when it takes too long.

use crate::disk::tools::Tool;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const UNSHARE: Tool = Tool { program: "unshare", package: "util-linux" };
const NEWUIDMAP: Tool = Tool { program: "newuidmap", package: "uidmap" };
const NAMESPACES: [&str; 5] = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
const AS_USER: [&str; 3] = ["--user", "--map-root-user", "--map-auto"];
/// What a program is told of this server's environment, which may hold secrets: how to reach the network.
const ENVIRONMENT_KEPT: [&str; 7] =
    ["PATH", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// A command that runs another one as root, or why there is none on this host.
pub fn command() -> Result<Command, String> {
    let is_root = nix::unistd::geteuid().is_root();
    let needs = "it needs root, or user namespaces with subordinate ids";
    let arguments = || AS_USER.into_iter().filter(|_| !is_root).chain(NAMESPACES);
    if !is_root {
        NEWUIDMAP.command().map_err(|error| format!("{needs}: {error}"))?;
    }
    let mut command = UNSHARE.command().map_err(|error| format!("{needs}: {error}"))?;
    command.args(arguments());
    let probed = UNSHARE.command().and_then(|mut probe| {
        let failed = |source| crate::disk::tools::Error::Run { program: UNSHARE.program, source };
        probe.args(arguments()).arg("/bin/true").output().map_err(failed)
    });
    let said = match probed {
        Ok(output) if output.status.success() => {
            // Inside the user's namespace no device can be made; debootstrap knows this case by that name.
            return Ok(with_environment(command, (!is_root).then_some(("container", "lxc"))));
        }
        // Root in somebody's container, who may be allowed everything else.
        _ if is_root => return Ok(with_environment(Command::new("/usr/bin/env"), None)),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    let fix = "add it to /etc/subuid and /etc/subgid, or run this once as root";
    Err(format!("{needs}, and this account has none ({said}): {fix}"))
}

fn with_environment(mut command: Command, extra: Option<(&str, &str)>) -> Command {
    command.env_clear();
    for key in ENVIRONMENT_KEPT {
        command.envs(std::env::var_os(key).map(|value| (key, value)));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin"));
    command.envs([("LC_ALL", "C.UTF-8"), ("DEBIAN_FRONTEND", "noninteractive"), ("HOME", "/")]).envs(extra);
    command
}

/// Removes a tree whose files may belong to ids that only a namespace can touch.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let refused = match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => error,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => return result,
    };
    let Ok(mut command) = command() else { return Err(refused) };
    let removed = command.args(["rm", "-rf", "--one-file-system"]).arg(path).status()?;
    if removed.success() { Ok(()) } else { Err(refused) }
}

/// A program in a process group of its own.
pub struct Running {
    pub child: Child,
    /// Set before the child is reaped: from then on its group's number may be somebody else's.
    reaped: Arc<Mutex<bool>>,
    watcher: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Starts it. Call it from a thread that belongs to a runtime, whose end is the program's end too.
    pub fn start(command: &mut Command, within: Duration) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let reaped = Arc::new(Mutex::new(false));
        let group = Pid::from_raw(i32::try_from(child.id()).expect("a process id is positive"));
        let last = KillOnDrop { group, reaped: reaped.clone() };
        let watcher = tokio::runtime::Handle::current().spawn(async move {
            let _last = last;
            tokio::time::sleep(within).await;
        });
        Ok(Self { child, reaped, watcher })
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let id = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is positive"));
        while let Err(error) = waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            if error != nix::errno::Errno::EINTR {
                return Err(error.into());
            }
        }
        let mut reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        *reaped = true;
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

struct KillOnDrop {
    group: Pid,
    reaped: Arc<Mutex<bool>>,
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}
