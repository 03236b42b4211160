//! Machines as QEMU microVMs.
//!
//! `command` (the command line, pure) · `monitor` (QMP) · `machine` (a
//! running one) · `memory` and `qcow2` (what it runs from) · `probe` (what this host can do).

mod command;
mod machine;
mod memory;
mod monitor;
mod probe;
mod qcow2;

pub use command::Accelerator;
pub use probe::{Host, KvmVerdict};

use crate::driver::{Boot, DiskChain, Driver, Error, Machine, Network, Purpose, Restore};
use crate::journal::Home;
use crate::kernel::GuestSystem;
use crate::network::EgressNetwork;
use crate::process::{Identity, Launch, Watched};
use async_trait::async_trait;
use command::{GUEST_ADDRESS, GUEST_GATEWAY, Memory, Plan, Start, Writable};
use machine::{AGENT_SOCKET, MEMORY, MONITOR_SOCKET, Microvm, OVERLAY, STATE};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// Quick boots need room for translated code; members live long and many.
const TRANSLATION_BOOT_MB: u32 = 256;
const TRANSLATION_MEMBER_MB: u32 = 32;

/// How much slower emulation is for what templates do when they start (measured: 4 to 10 times).
const EMULATION_SLOWDOWN: u32 = 4;

/// Makes microVMs.
pub struct MicrovmDriver {
    qemu: OsString,
    system: GuestSystem,
    host: Host,
    network: Arc<EgressNetwork>,
    /// Sealed memory of the snapshots in use, by their directory.
    memories: Mutex<BTreeMap<PathBuf, Arc<OnceCell<Arc<OwnedFd>>>>>,
}

impl MicrovmDriver {
    /// `host` is what `Host::probe` found out.
    pub fn new(qemu: OsString, system: GuestSystem, host: Host, network: Arc<EgressNetwork>) -> Self {
        Self { qemu, system, host, network, memories: Mutex::default() }
    }

    fn accelerator(&self, translation_buffer_mb: u32) -> Accelerator {
        if self.host.kvm.works { Accelerator::Kvm } else { Accelerator::Emulation { translation_buffer_mb } }
    }

    async fn memory_of(&self, snapshot: &Path) -> Result<Arc<OwnedFd>, Error> {
        let cell = {
            let mut memories = self.memories.lock().expect("nothing panics while holding the memories");
            memories.entry(snapshot.to_owned()).or_default().clone()
        };
        let path = snapshot.join(MEMORY);
        let copied = cell.get_or_try_init(|| async {
            let path = path.clone();
            let copy = tokio::task::spawn_blocking(move || memory::sealed_copy(&path)).await;
            copy.expect("copying does not panic").map(Arc::new)
        });
        copied.await.cloned().map_err(Error::file("load the memory", &snapshot.join(MEMORY)))
    }

    async fn launch(&self, home: &Home, parts: Parts, network: Network) -> Result<Microvm, Error> {
        let monitor = machine::listen(home.directory(), MONITOR_SOCKET)?;
        let agent = machine::listen(home.directory(), AGENT_SOCKET)?;
        let plan = Plan {
            name: home.entry().name.clone(),
            accelerator: parts.accelerator,
            vcpus: parts.vcpus,
            memory_mb: parts.memory_mb,
            memory: parts.memory,
            start: parts.start.clone(),
            disk: parts.disk.iter().map(AsRawFd::as_raw_fd).collect(),
            overlay: parts.overlay.as_ref().map(|(read_write, read_only)| Writable {
                read_write: read_write.as_raw_fd(),
                read_only: read_only.as_raw_fd(),
            }),
            egress: network == Network::Public && self.network.is_up(),
            monitor: monitor.as_raw_fd(),
            agent: agent.as_raw_fd(),
        };
        let mut descriptors = plan.disk.clone();
        descriptors.extend(plan.overlay.iter().flat_map(|overlay| [overlay.read_write, overlay.read_only]));
        descriptors.extend([plan.monitor, plan.agent]);
        descriptors.extend(parts.files.iter().map(AsRawFd::as_raw_fd));
        // Held by the VMM from before it runs until it ends.
        let lock = home.lock()?;
        let record = home.process_file()?;
        descriptors.push(lock.as_raw_fd());
        let vmm = Watched::launch(Launch {
            program: &self.qemu,
            arguments: plan.arguments().into_iter().map(Into::into).collect(),
            descriptors,
            record: record.as_raw_fd(),
            entrance: self.network.entrance(),
            identity: Identity::Confined { uid: home.uid(), groups: self.host.kvm_group.into_iter().collect() },
        })?;
        drop(parts);
        attach(vmm, home).await
    }
}

/// What a VMM is made of; the files stay open until it has them.
struct Parts {
    accelerator: Accelerator,
    vcpus: u32,
    memory_mb: u32,
    memory: Memory,
    start: Start,
    disk: Vec<File>,
    overlay: Option<(File, File)>,
    /// Memory, kernel and initramfs.
    files: Vec<Arc<OwnedFd>>,
}

/// Connects the monitor of a VMM that runs. One that cannot be connected is killed.
async fn attach(vmm: Watched, home: &Home) -> Result<Microvm, Error> {
    let greet = async {
        let stream = machine::connect(home.directory(), MONITOR_SOCKET, "take a connection to its monitor").await?;
        monitor::Monitor::connect(stream).await
    };
    let outcome = tokio::select! {
        outcome = greet => outcome,
        () = vmm.ended() => Err(Error::Ended { doing: "start", detail: vmm.complaints() }),
    };
    match outcome {
        Ok(monitor) => Ok(Microvm::new(vmm, monitor, home.directory().to_owned())),
        Err(error) => {
            vmm.kill();
            // Killed, so this ends; its complaints say more than a closed monitor does.
            vmm.ended().await;
            match (error, vmm.complaints()) {
                (Error::Ended { doing, .. }, detail) if !detail.is_empty() => Err(Error::Ended { doing, detail }),
                (error, _) => Err(error),
            }
        }
    }
}

fn open_disk(disk: &DiskChain) -> Result<Vec<File>, Error> {
    let files = std::iter::once(&disk.base).chain(&disk.layers);
    files.map(|path| File::open(path).map_err(Error::file("open the disk", path))).collect()
}

/// Makes the writable layer, as large as asked or as the disk under it.
fn make_overlay(path: &Path, under: &DiskChain, disk_mb: u32) -> Result<(File, File), Error> {
    let top = under.layers.last().unwrap_or(&under.base);
    let least = qcow2::virtual_size(top).map_err(Error::file("read the size of", top))?;
    let size = least.max(u64::from(disk_mb) << 20).next_multiple_of(512);
    let read_write = qcow2::create(path, size).map_err(Error::file("make the disk layer", path))?;
    let read_only = File::open(path).map_err(Error::file("open the disk layer", path))?;
    Ok((read_write, read_only))
}

/// A sparse file that will hold the guest's memory, which the VMM's user may open.
fn make_memory(home: &Home, memory_mb: u32) -> Result<OwnedFd, Error> {
    let path = home.file(MEMORY);
    let make = || {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        file.set_len(u64::from(memory_mb) << 20)?;
        if let Some(uid) = home.uid() {
            std::os::unix::fs::fchown(&file, Some(uid), Some(uid))?;
        }
        Ok(file.into())
    };
    make().map_err(Error::file("make the memory", &path))
}

#[async_trait]
impl Driver for MicrovmDriver {
    fn name(&self) -> &'static str {
        "microvm"
    }

    fn accelerator(&self) -> String {
        self.accelerator(TRANSLATION_MEMBER_MB).name().to_owned()
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.host.kvm.works {
            warnings.push(format!("machines are emulated, about ten times slower: {}", self.host.kvm.reason));
        }
        if !nix::unistd::geteuid().is_root() {
            warnings.push("the server is not root, so all machines run under its own user".into());
        }
        warnings.extend(self.network.warnings());
        warnings
    }

    fn compatibility(&self) -> String {
        let accelerator = self.accelerator(TRANSLATION_MEMBER_MB);
        [
            &*self.host.qemu,
            &self.system.digest,
            accelerator.name(),
            accelerator.cpu(),
            // Only a guest that sees the host's processor depends on it.
            if self.host.kvm.works { &*self.host.cpu } else { "" },
            &self.host.tsc_khz.to_string(),
        ]
        .join("/")
    }

    fn slowdown(&self) -> u32 {
        if self.host.kvm.works { 1 } else { EMULATION_SLOWDOWN }
    }

    async fn boot(&self, home: &Home, boot: Boot) -> Result<Arc<dyn Machine>, Error> {
        let path = boot.overlay.unwrap_or_else(|| home.file(OVERLAY));
        let mut files = vec![self.system.kernel.clone(), self.system.initramfs.clone()];
        let memory = match boot.purpose {
            Purpose::Build => Memory::Private,
            Purpose::Snapshot => {
                let file = Arc::new(make_memory(home, boot.memory_mb)?);
                let memory = Memory::Recorded(file.as_raw_fd());
                files.push(file);
                memory
            }
        };
        let accelerator = self.accelerator(TRANSLATION_BOOT_MB);
        let parts = Parts {
            accelerator,
            vcpus: boot.vcpus,
            memory_mb: boot.memory_mb,
            memory,
            start: Start::Boot {
                kernel: self.system.kernel.as_raw_fd(),
                initramfs: self.system.initramfs.as_raw_fd(),
                command_line: command_line(&self.host, accelerator, &self.network.resolver()),
            },
            disk: open_disk(&boot.disk)?,
            overlay: Some(make_overlay(&path, &boot.disk, boot.disk_mb)?),
            files,
        };
        Ok(Arc::new(self.launch(home, parts, boot.network).await?))
    }

    async fn restore(&self, home: &Home, restore: Restore) -> Result<Arc<dyn Machine>, Error> {
        let memory = self.memory_of(&restore.snapshot).await?;
        let path = restore.snapshot.join(STATE);
        let state = File::open(&path).map_err(Error::file("open the device state", &path))?;
        let parts = Parts {
            accelerator: self.accelerator(TRANSLATION_MEMBER_MB),
            vcpus: restore.vcpus,
            memory_mb: restore.memory_mb,
            memory: Memory::Clone(memory.as_raw_fd()),
            start: Start::Incoming,
            disk: open_disk(&restore.disk)?,
            overlay: Some(make_overlay(&home.file(OVERLAY), &restore.disk, restore.disk_mb)?),
            files: vec![memory],
        };
        let machine = self.launch(home, parts, restore.network).await?;
        let loaded = async {
            machine.load(&state).await?;
            machine.resume().await
        };
        if let Err(error) = loaded.await {
            machine.kill().await?;
            let detail = format!("{} {}", error.chain(), machine.complaints());
            return Err(Error::Refused { doing: "load a snapshot".into(), detail });
        }
        Ok(Arc::new(machine))
    }

    async fn recover(&self, home: &Home) -> Result<Option<Arc<dyn Machine>>, Error> {
        let Some(process) = home.process() else { return Ok(None) };
        let vmm = Watched::found(process)?;
        Ok(Some(Arc::new(attach(vmm, home).await?)))
    }

    fn forget_snapshot(&self, directory: &Path) {
        self.memories.lock().expect("nothing panics while holding the memories").remove(directory);
    }
}

/// The kernel's command line. A guest on a loaded host may never finish calibrating its clock against
/// the emulated timer, so it is told the rate and not to check; a panic ends the VMM.
fn command_line(host: &Host, accelerator: Accelerator, resolver: &str) -> String {
    let tsc = match (host.tsc_khz, accelerator) {
        (0, _) => String::new(),
        (khz, Accelerator::Kvm) => format!("tsc_early_khz={khz} "),
        // All emulated processors read the host's one counter, which the guest cannot know: it would
        // not trust several of them to agree, count time in ticks, and never sleep longer than one.
        (khz, Accelerator::Emulation { .. }) => format!("tsc_early_khz={khz} tsc=reliable "),
    };
    format!(
        "console=ttyS0 quiet {tsc}no_timer_check panic=-1 random.trust_cpu=on \
         nullspace.ip={GUEST_ADDRESS} nullspace.gw={GUEST_GATEWAY} nullspace.dns={resolver}"
    )
}
