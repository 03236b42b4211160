//! What this host can do for microVMs: which QEMU it has, how fast its clock counter runs, and whether
//! a guest really boots under KVM.
//!
//! `/dev/kvm` can be there, open, and make machines, and still never boot a stock kernel: nested and
//! paravirtual hosts do that. So the verdict is a boot with a bound, under the user a VMM would have,
//! and it is remembered for as long as machine, kernel and QEMU stay what they are.

use super::command::{Accelerator, Memory, Plan, Start};
use super::machine::{self, AGENT_SOCKET, MONITOR_SOCKET};
use crate::driver::Error;
use crate::journal::Journal;
use crate::kernel::GuestSystem;
use crate::network::Entrance;
use crate::process::{Identity, Launch, Watched};
use nullspace_guest::link::{Link, NONCE};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A kernel under working KVM is in its userland in well under a second.
const KVM_WITHIN: Duration = Duration::from_secs(5);

/// Two measurements of one counter differ by less; two hosts rarely do.
const TSC_TOLERANCE: f64 = 0.001;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Version and digest of the program.
    pub qemu: String,
    pub cpu: String,
    /// Rate of the processor's clock counter; 0 when it has none that guests can be told.
    pub tsc_khz: u64,
    pub kvm: KvmVerdict,
    /// The group that owns `/dev/kvm`, when a VMM must have it.
    pub kvm_group: Option<u32>,
}

/// Whether machines run at native speed, and the reason in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvmVerdict {
    pub works: bool,
    pub reason: String,
}

/// What is remembered between starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    key: String,
    verdict: KvmVerdict,
    tsc_khz: u64,
}

impl Host {
    /// Finds out, or remembers. `memory` is a file of the data directory.
    pub async fn probe(qemu: &OsStr, system: &GuestSystem, journal: &Journal, memory: &Path) -> Result<Self, Error> {
        let cpu = cpu_model();
        let version = qemu_version(qemu).await?;
        let kvm_device = std::fs::metadata("/dev/kvm").ok().filter(|found| found.file_type().is_char_device());
        // As root the VMM has a user of its own, which gets at the device through its group or not at all.
        let shared = kvm_device.as_ref().filter(|found| found.mode() & 0o060 == 0o060 && found.gid() != 0);
        let kvm_group = shared.map(MetadataExt::gid).filter(|_| nix::unistd::geteuid().is_root());
        let access = kvm_device.as_ref().map_or(0, |found| found.mode() ^ found.gid());
        let key = [&*version, &*system.digest, &*cpu, &kernel_release(), &access.to_string()].join("/");
        let remembered = std::fs::read(memory).ok().and_then(|text| serde_json::from_slice::<Remembered>(&text).ok());
        let measured = tokio::task::spawn_blocking(measure_tsc_khz).await.expect("measuring does not panic");
        let tsc_khz = match &remembered {
            // Snapshots are bound to the rate, so it must not wander from start to start.
            Some(known) if measured.abs_diff(known.tsc_khz) as f64 <= TSC_TOLERANCE * measured as f64 => known.tsc_khz,
            _ => measured,
        };
        let mut host =
            Self { qemu: version, cpu, tsc_khz, kvm: KvmVerdict { works: false, reason: String::new() }, kvm_group };
        host.kvm = match remembered {
            Some(known) if known.key == key => known.verdict,
            _ if kvm_device.is_none() => KvmVerdict { works: false, reason: "this host has no /dev/kvm".into() },
            _ => match try_kvm(qemu, system, journal, &host).await {
                Ok(()) => KvmVerdict { works: true, reason: "a guest booted under KVM".into() },
                Err(error) => KvmVerdict { works: false, reason: format!("KVM was tried: {}", error.chain()) },
            },
        };
        let text = serde_json::to_vec(&Remembered { key, verdict: host.kvm.clone(), tsc_khz });
        std::fs::write(memory, text.expect("plain data")).map_err(Error::file("write", memory))?;
        Ok(host)
    }
}

/// Boots kernel and agent under KVM, without a disk. Working means that the agent shakes hands.
async fn try_kvm(qemu: &OsStr, system: &GuestSystem, journal: &Journal, host: &Host) -> Result<(), Error> {
    let home = journal.create_passing("probe")?;
    let tried = async {
        let monitor = machine::listen(home.directory(), MONITOR_SOCKET)?;
        let agent = machine::listen(home.directory(), AGENT_SOCKET)?;
        let (lock, record) = (home.lock()?, home.process_file()?);
        let plan = Plan {
            name: home.entry().name.clone(),
            accelerator: Accelerator::Kvm,
            vcpus: 1,
            memory_mb: 128,
            memory: Memory::Private,
            start: Start::Boot {
                kernel: system.kernel.as_raw_fd(),
                initramfs: system.initramfs.as_raw_fd(),
                command_line: super::command_line(host, Accelerator::Kvm, "10.0.2.3"),
            },
            disk: Vec::new(),
            overlay: None,
            egress: false,
            monitor: monitor.as_raw_fd(),
            agent: agent.as_raw_fd(),
        };
        let descriptors = [&monitor.as_raw_fd(), &agent.as_raw_fd(), &lock.as_raw_fd()].map(|fd| *fd).into_iter();
        let vmm = Watched::launch(Launch {
            program: qemu,
            arguments: plan.arguments().into_iter().map(Into::into).collect(),
            descriptors: descriptors.chain([system.kernel.as_raw_fd(), system.initramfs.as_raw_fd()]).collect(),
            record: record.as_raw_fd(),
            entrance: Arc::new(Entrance::Host),
            identity: Identity::Confined { uid: home.uid(), groups: host.kvm_group.into_iter().collect() },
        })?;
        let answered = tokio::select! {
            answered = shake_hands(home.directory()) => answered,
            () = vmm.ended() => Err(Error::Ended { doing: "boot under KVM", detail: vmm.complaints() }),
        };
        vmm.kill();
        vmm.ended().await;
        answered
    };
    let outcome = tried.await;
    home.remove()?;
    outcome
}

async fn shake_hands(home: &Path) -> Result<(), Error> {
    let stream = machine::connect(home, AGENT_SOCKET, "take a connection to its agent").await?;
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the host's random numbers are there");
    let deadline = tokio::time::Instant::now() + KVM_WITHIN;
    match Link::connect(stream, nonce, deadline).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::TimedOut { doing: "boot under KVM", seconds: KVM_WITHIN.as_secs() }),
    }
}

async fn qemu_version(qemu: &OsStr) -> Result<String, Error> {
    let program = qemu.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let output = Command::new(&program).arg("--version").output()?;
        let path = crate::network::find_program(&program.to_string_lossy()).unwrap_or_else(|| program.into());
        let digest = Sha256::digest(std::fs::read(path)?);
        Ok::<_, std::io::Error>((output.stdout, digest))
    });
    let spawn = |source| Error::Spawn { program: qemu.to_string_lossy().into_owned(), source };
    let (text, digest) = asked.await.expect("asking for a version does not panic").map_err(spawn)?;
    let text = String::from_utf8_lossy(&text);
    let version = text.split_whitespace().nth(3).unwrap_or("unknown");
    Ok(format!("qemu-{version}-{}", hex::encode(&digest[..8])))
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // One processor's lines, without what changes from moment to moment.
    let lines = text.lines().take_while(|line| !line.is_empty());
    let stable = lines.filter(|line| {
        ["vendor_id", "cpu family", "model", "stepping", "flags"].iter().any(|key| line.starts_with(key))
    });
    let mut hash = Sha256::new();
    stable.for_each(|line| hash.update(line));
    hex::encode(&hash.finalize()[..8])
}

fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Counts the processor's ticks against the clock for a twentieth of a second.
#[cfg(target_arch = "x86_64")]
fn measure_tsc_khz() -> u64 {
    // Between two looks at the clock the thread may be put aside: the quickest of a few is true.
    let look = || {
        (0..8)
            .map(|_| {
                let before = Instant::now();
                // SAFETY: every x86-64 processor has the instruction.
                let ticks = unsafe { core::arch::x86_64::_rdtsc() };
                (before.elapsed(), before, ticks)
            })
            .min_by_key(|(took, _, _)| *took)
            .expect("eight are not none")
    };
    let (_, begun, first) = look();
    std::thread::sleep(Duration::from_millis(50));
    let (_, ended, last) = look();
    let nanos = ended.duration_since(begun).as_nanos() as u64;
    last.saturating_sub(first).saturating_mul(1_000_000) / nanos.max(1)
}

#[cfg(not(target_arch = "x86_64"))]
fn measure_tsc_khz() -> u64 {
    0
}
