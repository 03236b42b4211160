//! Programs of the distribution that a server uses, and the packages they come in.

use super::Probe;
use nullspace_node::network::find_program;
use serde_json::json;
use std::process::Command;

/// What one part of a server needs.
struct Need {
    name: &'static str,
    programs: &'static [&'static str],
    packages: &'static str,
    /// What does not work without.
    loses: &'static str,
    /// Whether machines cannot run at all without.
    required: bool,
}

const NEEDS: [Need; 4] = [
    Need {
        name: "qemu",
        programs: &["qemu-system-x86_64", "qemu-img"],
        packages: "qemu-system-x86 qemu-utils",
        loses: "microVMs cannot run",
        required: true,
    },
    Need {
        name: "disk_tools",
        programs: &["mke2fs", "debugfs"],
        packages: "e2fsprogs",
        loses: "root disks cannot be made",
        required: true,
    },
    Need {
        name: "bootstrap",
        programs: &["debootstrap", "busybox"],
        packages: "debootstrap busybox-static",
        loses: "`image bootstrap` cannot make images; a registry or an archive is needed",
        required: false,
    },
    Need {
        name: "gvisor",
        programs: &["runsc"],
        packages: "runsc",
        loses: "build steps run in the machine, which is slow where it is emulated",
        required: false,
    },
];

pub fn probes() -> Vec<Probe> {
    NEEDS.iter().map(probe).collect()
}

fn probe(need: &Need) -> Probe {
    let missing: Vec<&str> = need.programs.iter().copied().filter(|program| find_program(program).is_none()).collect();
    if missing.is_empty() {
        let version = version(need.programs[0]);
        let message = version.clone().unwrap_or_else(|| format!("{} found", need.programs.join(", ")));
        return Probe::ok(need.name, message).with(json!({"version": version}));
    }
    let message = format!("{} not found: {}", missing.join(", "), need.loses);
    let fix = install(need.packages);
    if need.required { Probe::fail(need.name, message, fix) } else { Probe::warn(need.name, message, fix) }
}

/// How to get packages here: both supported distributions speak apt.
pub fn install(packages: &str) -> String {
    let sudo = if nix::unistd::geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install {packages}")
}

/// The first line of `PROGRAM --version`, for people.
fn version(program: &str) -> Option<String> {
    let output = Command::new(find_program(program)?).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().next()?.trim().to_owned()).filter(|line| output.status.success() && !line.is_empty())
}
