//! One real host for tests: busybox machines under QEMU, in a data directory of its own.

#![allow(dead_code, reason = "each test program uses a part of it")]

use nullspace_domain::runtime::RuntimeConfig;
use nullspace_domain::{ArtifactId, InstanceId, Resources};
use nullspace_guest::client;
use nullspace_guest::protocol::Exec;
use nullspace_node::api::MachineSpec;
use nullspace_node::driver::{DiskChain, Driver};
use nullspace_node::journal::{Journal, UidRange};
use nullspace_node::kernel::{self, GuestSystem};
use nullspace_node::machines::Machines;
use nullspace_node::microvm::{self, MicrovmDriver};
use nullspace_node::network::{self, EgressNetwork};
use nullspace_node::profiles::{self, Artifact, Profiles};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub struct Host {
    pub directory: PathBuf,
    pub driver: Arc<dyn Driver>,
    pub journal: Journal,
    pub profiles: Arc<Profiles>,
    pub machines: Machines,
    pub network: Arc<EgressNetwork>,
}

/// Says why this machine cannot run the tests, or gives what is needed.
pub fn system() -> Option<GuestSystem> {
    for program in ["qemu-system-x86_64", "mke2fs", "busybox"] {
        if network::find_program(program).is_none() {
            eprintln!("skipped: `{program}` is not installed");
            return None;
        }
    }
    match GuestSystem::assemble(&kernel::Settings::default()) {
        Ok(system) => Some(system),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

impl Host {
    /// Opens a data directory, as a server that starts does.
    pub async fn open(directory: &Path, system: GuestSystem, egress: bool) -> Self {
        let journal = Journal::open(&directory.join("machines"), UidRange::default()).unwrap();
        let network = if egress {
            let place = directory.join("network");
            tokio::task::spawn_blocking(move || EgressNetwork::open(&place, network::Settings::default()))
                .await
                .unwrap()
        } else {
            EgressNetwork::none()
        };
        let network = Arc::new(network);
        let qemu = std::ffi::OsString::from("qemu-system-x86_64");
        let found = microvm::Host::probe(&qemu, &system, &journal, &directory.join("host.json")).await.unwrap();
        let driver: Arc<dyn Driver> = Arc::new(MicrovmDriver::new(qemu, system, found, network.clone()));
        let profiles = Profiles::open(
            &directory.join("profiles"),
            driver.clone(),
            journal.clone(),
            profiles::Settings { disk_mb: 64, ..profiles::Settings::default() },
        );
        let profiles = Arc::new(profiles.unwrap());
        let machines = Machines::open(driver.clone(), journal.clone(), profiles.clone()).await.unwrap();
        Self { directory: directory.to_owned(), driver, journal, profiles, machines, network }
    }

    pub async fn run(&self, id: &InstanceId, command: &str) -> (i32, String) {
        let stream = self.machines.guest(id).await.unwrap();
        let exec = Exec { command: command.into(), shell: true, ..Exec::default() };
        let finished = tokio::time::timeout(Duration::from_secs(60), client::run(stream, exec, 1 << 20)).await;
        let finished = finished.expect("a small command ends").unwrap();
        (finished.exit.code, String::from_utf8_lossy(&finished.stdout).trim().to_owned())
    }

    /// Waits for what follows an end by a moment.
    pub async fn nothing_is_left(&self) {
        let machines = self.directory.join("machines");
        for _ in 0..400 {
            let homes = std::fs::read_dir(&machines).unwrap().count();
            if homes == 0 && vmms_of(&self.directory).is_empty() && !has_zombies() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let homes: Vec<_> = std::fs::read_dir(&machines).unwrap().flatten().map(|entry| entry.path()).collect();
        panic!("left behind: {homes:?} {:?}", vmms_of(&self.directory));
    }
}

/// Processes that hold a file of this data directory open.
pub fn vmms_of(directory: &Path) -> Vec<i32> {
    let myself = std::process::id() as i32;
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != myself)
        .filter(|pid| {
            let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|file| file.starts_with(directory))
        })
        .collect()
}

/// Whether a VMM of this test has ended and was left in the process table.
fn has_zombies() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<_> = children.flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    let stats = children.iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    stats.filter(|stat| stat.contains("(qemu")).any(|stat| stat.contains(") Z "))
}

/// An ext4 file system with a static busybox and nothing else.
pub fn busybox_disk(directory: &Path) -> PathBuf {
    let root = directory.join("root");
    for name in ["bin", "dev", "proc", "sys", "tmp", "etc", "run", "root"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    let busybox = network::find_program("busybox").unwrap();
    std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
    let applets = Command::new("busybox").arg("--list").output().unwrap();
    for applet in String::from_utf8(applets.stdout).unwrap().lines().filter(|name| *name != "busybox") {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
    let disk = directory.join("root.ext4");
    let made = Command::new(network::find_program("mke2fs").unwrap())
        .args(["-q", "-t", "ext4", "-d"])
        .arg(&root)
        .arg(&disk)
        .arg("24M")
        .status();
    assert!(made.unwrap().success());
    disk
}

pub fn artifact(name: &str, disk: &Path, runtime: RuntimeConfig) -> Artifact {
    Artifact { id: ArtifactId::from_body(name), disk: DiskChain::raw(disk), runtime }
}

pub fn spec(id: &str, artifact: &Artifact) -> MachineSpec {
    MachineSpec {
        id: InstanceId::from_body(id),
        artifact: artifact.id.clone(),
        resources: Resources { vcpus: 1, memory_mb: 128, disk_mb: 256 },
        internet_access: true,
    }
}
