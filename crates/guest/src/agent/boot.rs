//! From the kernel's first program to a machine: what PID 1 does before it serves.
//!
//! ```text
//! initramfs: /init (this program), /modules/NN-name.ko
//!   mount proc, sys, dev ▸ load modules ▸ mount the root disk ▸ move everything under it ▸ chroot
//! ```
//!
//! The program goes on running from the initramfs. Nothing of it is on the template's disk.

use super::disk::ROOT_DEVICE;
use super::network::{self, Network};
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What keeps a machine from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot mount {what} at {at}")]
    Mount {
        what: &'static str,
        at: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot load the kernel module {name}")]
    LoadModule {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("there is no disk {ROOT_DEVICE} after {} s", DISK_WAIT.as_secs())]
    NoDisk,
    #[error("cannot make {ROOT_DEVICE} the root")]
    SwitchRoot(#[source] io::Error),
}

/// How long the disk may take to appear after its driver was loaded.
const DISK_WAIT: Duration = Duration::from_secs(10);

const NEW_ROOT: &str = "/newroot";
const MODULES: &str = "/modules";

/// Descriptors a process may have open: what servers expect, and the kernel's own limit.
const DESCRIPTORS: (u64, u64) = (65_536, 1_048_576);

/// Makes sure that standard input, output and error are open, so that no file opened later takes their
/// place: a machine without a console starts with none of them.
pub fn open_console() {
    let nothing: Option<&str> = None;
    // SAFETY: takes numbers only.
    let closed = (0..3).any(|descriptor| unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0);
    if !closed {
        return;
    }
    let _ = fs::create_dir_all("/dev");
    let _ = mount(Some("devtmpfs"), "/dev", Some("devtmpfs"), MsFlags::MS_NOSUID, nothing);
    while let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        if null.as_raw_fd() > 2 {
            return;
        }
        let _kept_open = null.into_raw_fd();
    }
}

/// Does all of it. Afterwards `/` is the template's disk.
pub fn boot() -> Result<(), Error> {
    mount_at("proc", "/proc", "proc", MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, None)?;
    mount_at("sysfs", "/sys", "sysfs", MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, None)?;
    // The kernel may have done it already.
    if !Path::new("/dev/kmsg").exists() {
        mount_at("devtmpfs", "/dev", "devtmpfs", MsFlags::MS_NOSUID, None)?;
    }
    load_modules()?;
    wait_for_disk()?;
    mount_at(ROOT_DEVICE, NEW_ROOT, "ext4", MsFlags::empty(), None)?;
    switch_root().map_err(Error::SwitchRoot)?;
    mount_the_rest();
    prepare_root();
    prepare_network();
    prepare_self();
    Ok(())
}

fn mount_at(
    what: &'static str,
    at: &'static str,
    kind: &str,
    flags: MsFlags,
    options: Option<&str>,
) -> Result<(), Error> {
    // If it cannot be made, mounting says so.
    let _ = fs::create_dir_all(at);
    mount(Some(what), at, Some(kind), flags, options).map_err(|error| Error::Mount { what, at, source: error.into() })
}

/// Loads every module in the order of its name.
fn load_modules() -> Result<(), Error> {
    let mut paths: Vec<_> = fs::read_dir(MODULES).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let failed = |source| Error::LoadModule { name: path.display().to_string(), source };
        let module = File::open(&path).map_err(failed)?;
        match finit_module(&module, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
            Err(error) => return Err(failed(error.into())),
        }
        // Its bytes are in the initramfs, which is in memory.
        let _ = fs::remove_file(&path);
    }
    Ok(())
}

fn wait_for_disk() -> Result<(), Error> {
    let deadline = Instant::now() + DISK_WAIT;
    while !Path::new(ROOT_DEVICE).exists() {
        if Instant::now() > deadline {
            return Err(Error::NoDisk);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn switch_root() -> io::Result<()> {
    let nothing: Option<&str> = None;
    for name in ["proc", "sys", "dev"] {
        let to = format!("{NEW_ROOT}/{name}");
        make_directory(&to, 0o755);
        mount(Some(format!("/{name}").as_str()), to.as_str(), nothing, MsFlags::MS_MOVE, nothing)?;
    }
    std::env::set_current_dir(NEW_ROOT)?;
    mount(Some("."), "/", nothing, MsFlags::MS_MOVE, nothing)?;
    nix::unistd::chroot(".")?;
    std::env::set_current_dir("/")
}

/// What programs expect beside the disk. An image can do without any of it, so none is fatal.
fn mount_the_rest() {
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    make_directory("/dev/pts", 0o755);
    make_directory("/dev/shm", 0o1777);
    complain(mount_at(
        "devpts",
        "/dev/pts",
        "devpts",
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some("mode=620,ptmxmode=666,gid=5"),
    ));
    complain(mount_at("tmpfs", "/dev/shm", "tmpfs", plain, Some("mode=1777")));
    complain(mount_at("tmpfs", "/run", "tmpfs", plain, Some("mode=755")));
    complain(mount_at("cgroup2", "/sys/fs/cgroup", "cgroup2", plain | MsFlags::MS_NOEXEC, None));
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        // One that is there already is as good.
        let _ = std::os::unix::fs::symlink(target, Path::new("/dev").join(link));
    }
}

fn prepare_root() {
    make_directory("/tmp", 0o1777);
    // Whoever the template runs as works here.
    make_directory("/workspace", 0o1777);
    make_directory("/etc", 0o755);
    if !Path::new("/etc/hosts").exists() {
        complain(fs::write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"));
    }
    let name = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    complain(nix::unistd::sethostname(if name.is_empty() { "sandbox" } else { name }));
}

fn prepare_network() {
    complain(network::loopback());
    if network::has_card() {
        let network = Network::from_command_line(&fs::read_to_string("/proc/cmdline").unwrap_or_default());
        complain(network::card(&network));
        complain(network::write_resolv_conf(&network));
    }
}

fn prepare_self() {
    // The last to go when memory is short.
    complain(fs::write("/proc/self/oom_score_adj", "-1000"));
    let (soft, hard) = DESCRIPTORS;
    complain(nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, soft, hard));
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
}

fn make_directory(path: &str, mode: u32) {
    if !Path::new(path).is_dir() && DirBuilder::new().mode(mode).create(path).is_ok() {
        use std::os::unix::fs::PermissionsExt;
        // The mask of the moment must not have its way.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    }
}

/// Says on the console what did not work, and goes on.
fn complain<E: std::error::Error>(result: Result<(), E>) {
    if let Err(error) = result {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        eprintln!("nullspace-guest: {error}{cause}");
    }
}
