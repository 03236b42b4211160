//! Programs that a server uses, with the packages they come in, and who builds Dockerfiles.

use super::Probe;
use nullspace_node::network::find_program;
use serde_json::json;
use std::os::unix::net::UnixStream;
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

const NEEDS: [Need; 2] = [
    Need {
        name: "qemu",
        programs: &["qemu-system-x86_64", "qemu-img"],
        packages: "qemu-system-x86 qemu-utils",
        loses: "microVMs cannot run",
        required: true,
    },
    Need {
        name: "gvisor",
        programs: &["runsc"],
        packages: "runsc",
        loses: "build steps run in the machine, which is slow where it is emulated",
        required: false,
    },
];

const BUILDER_SOCKETS: [&str; 3] = ["/run/buildkit/buildkitd.sock", "/run/docker.sock", "/var/run/docker.sock"];

pub fn probes() -> Vec<Probe> {
    NEEDS.iter().map(probe).chain([builder()]).collect()
}

fn builder() -> Probe {
    match BUILDER_SOCKETS.into_iter().find(|path| UnixStream::connect(path).is_ok()) {
        Some(path) => Probe::ok("buildkit", format!("{path} answers")).with(json!({"socket": path})),
        None => Probe::warn(
            "buildkit",
            "neither buildkitd nor a Docker engine answers: Dockerfiles cannot be built, other templates can",
            "install BuildKit and run `buildkitd`, or install Docker",
        ),
    }
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
