//! What this machine is: whether a guest boots under KVM, which kernel it boots, its network, users, room.

use super::Probe;
use super::programs::install;
use nullspace_node::journal::{Journal, UidRange};
use nullspace_node::kernel::{self, GuestSystem};
use nullspace_node::microvm::Host;
use nullspace_node::network::find_program;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Room for an image, its artifact and a few machines.
const DISK_WANTED_MB: u64 = 10 * 1024;
/// Two small machines beside the server.
const MEMORY_WANTED_MB: u64 = 2048;

pub async fn probes() -> Vec<Probe> {
    let settings = kernel::Settings::default();
    let mut probes = vec![kernel_probe(&settings), agent_probe(&settings), acceleration(&settings).await];
    probes.extend([network(), users(), disk(), memory()]);
    probes
}

fn kernel_probe(settings: &kernel::Settings) -> Probe {
    match kernel::locate(settings) {
        Ok(files) => Probe::ok("kernel", format!("machines boot {}", files.release))
            .with(json!({"image": files.image, "modules": files.modules})),
        Err(error) => Probe::fail(
            "kernel",
            error.to_string(),
            "run `scripts/fetch-kernel`, or name one with `nullspace serve --kernel … --kernel-modules …`",
        ),
    }
}

fn agent_probe(settings: &kernel::Settings) -> Probe {
    match kernel::find_agent(settings) {
        Ok(bytes) => Probe::ok("guest_agent", format!("there ({} KB)", bytes.len() / 1024)),
        Err(error) => Probe::fail("guest_agent", error.to_string(), "build with `make build`, which embeds it"),
    }
}

/// A device that opens proves nothing: only a guest that boots does.
async fn acceleration(settings: &kernel::Settings) -> Probe {
    let unknown = |message: String| Probe::warn("kvm", message, "fix what is missing above, and ask again");
    let Some(qemu) = find_program("qemu-system-x86_64") else {
        return unknown("not tried: there is no QEMU".to_owned());
    };
    let system = match GuestSystem::assemble(settings) {
        Ok(system) => system,
        Err(error) => return unknown(format!("not tried: {error}")),
    };
    let place = match Scratch::make() {
        Ok(place) => place,
        Err(error) => return unknown(format!("not tried: cannot make a directory to try it in: {error}")),
    };
    let journal = match Journal::open(&place.0.join("machines"), UidRange::default()) {
        Ok(journal) => journal,
        Err(error) => return unknown(format!("not tried: {error}")),
    };
    match Host::probe(qemu.as_os_str(), &system, &journal, &place.0.join("host.json")).await {
        Ok(host) if host.kvm.works => Probe::ok("kvm", host.kvm.reason).with(json!({"accelerator": "kvm"})),
        Ok(host) => Probe::warn(
            "kvm",
            format!("machines are emulated, which is slower: {}", host.kvm.reason),
            kvm_fix(Path::new("/dev/kvm"), &host.kvm.reason),
        )
        .with(json!({"accelerator": "emulation", "reason": host.kvm.reason})),
        Err(error) => unknown(error.to_string()),
    }
}

fn kvm_fix(device: &Path, reason: &str) -> String {
    if !device.exists() {
        return "on a virtual machine let its host allow nested virtualisation; else turn virtualisation on in the \
                firmware and load kvm_intel or kvm_amd. Emulation works meanwhile"
            .to_owned();
    }
    match std::fs::File::options().read(true).write(true).open(device) {
        // Root gets at it and a machine's VMM, which has a user of its own, does not.
        Ok(_) if reason.contains("Permission denied") => {
            "give the device to a group: chgrp kvm /dev/kvm && chmod 0660 /dev/kvm".to_owned()
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            "add this user to the group `kvm`: sudo usermod -aG kvm $USER, then log in again".to_owned()
        }
        _ => "the device opens and guests do not boot under it; emulation works meanwhile".to_owned(),
    }
}

/// Machines reach the internet through a namespace that slirp4netns feeds and nftables filters.
fn network() -> Probe {
    let missing: Vec<&str> =
        ["slirp4netns", "nft"].into_iter().filter(|program| find_program(program).is_none()).collect();
    if !missing.is_empty() {
        let message = format!("{} not found: machines run without internet access", missing.join(", "));
        return Probe::warn("network", message, install("slirp4netns nftables"));
    }
    if std::fs::File::options().read(true).write(true).open("/dev/net/tun").is_err() {
        let fix = "load the module: sudo modprobe tun; in a container pass the device /dev/net/tun";
        return Probe::warn("network", "/dev/net/tun cannot be opened: machines run without internet access", fix);
    }
    Probe::ok("network", "machines can have internet access, and none to this host")
}

/// An ordinary user needs namespaces, and ids of their own for files that belong to several users.
fn users() -> Probe {
    if nix::unistd::geteuid().is_root() {
        return Probe::ok("users", "running as root: every machine gets a user id of its own");
    }
    let forbidden = [
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ];
    for (file, bad, setting) in forbidden {
        if std::fs::read_to_string(file).is_ok_and(|value| value.trim() == bad) {
            let message = "ordinary users may not make user namespaces: machines have no internet access";
            return Probe::warn("users", message, format!("sudo sysctl -w {setting}"));
        }
    }
    let (uid, name) = (nix::unistd::geteuid(), nix::unistd::User::from_uid(nix::unistd::geteuid()));
    let name = name.ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    if !["/etc/subuid", "/etc/subgid"].iter().all(|file| has_range(Path::new(file), &name, uid.as_raw())) {
        let message = format!("`{name}` has no subordinate ids: files of other users in images cannot be made");
        let fix = format!("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}");
        return Probe::warn("users", message, fix);
    }
    Probe::ok("users", format!("`{name}` may make user namespaces and has subordinate ids"))
}

fn has_range(file: &Path, name: &str, uid: u32) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.split(':').next()).any(|owner| owner == name || owner == uid.to_string())
}

fn disk() -> Probe {
    let wanted = crate::serve::default_data_dir();
    let there = wanted.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let free_mb = match nix::sys::statvfs::statvfs(there) {
        Ok(stat) => stat.blocks_available() * stat.fragment_size() / (1024 * 1024),
        Err(error) => {
            let message = format!("the room at {} is unknown: {error}", there.display());
            return Probe::warn("disk", message, "choose another place with `nullspace serve --data-dir`");
        }
    };
    let message = format!("{} GB free at {}", free_mb / 1024, there.display());
    let details = json!({"free_mb": free_mb, "path": there});
    if free_mb >= DISK_WANTED_MB {
        return Probe::ok("disk", message).with(details);
    }
    let fix = format!("{} GB are wanted: make room, or choose another place with --data-dir", DISK_WANTED_MB / 1024);
    Probe::warn("disk", message, fix).with(details)
}

fn memory() -> Probe {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kb =
        text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().trim_end_matches(" kB").parse().ok());
    let free_mb = kb.map_or(0, |kb: u64| kb / 1024);
    let message = format!("{free_mb} MB available");
    let details = json!({"available_mb": free_mb});
    if free_mb >= MEMORY_WANTED_MB {
        return Probe::ok("memory", message).with(details);
    }
    Probe::warn("memory", message, format!("{MEMORY_WANTED_MB} MB are wanted for a few machines")).with(details)
}

/// A directory of our own that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("nullspace-doctor-{}", ulid::Ulid::generate()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind in the system's temporary directory is a few empty files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
