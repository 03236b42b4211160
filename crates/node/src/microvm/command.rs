//! The command line of one VMM, from a plain description. Pure: descriptors are only numbers here.
//!
//! Everything the VMM uses is handed over as an open descriptor, so it needs no right to any path but
//! its own program and firmware.

use serde_json::json;
use std::os::fd::RawFd;

/// The processor that runs the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    Kvm,
    /// `translation_buffer_mb` bounds the memory that translated code may take: 256 for quick boots,
    /// not below 32, where a start takes four times as long.
    Emulation {
        translation_buffer_mb: u32,
    },
}

impl Accelerator {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Emulation { .. } => "emulation",
        }
    }

    /// What the guest sees as its processor. Emulated: the baseline that today's Linux distributions
    /// and Python packages are compiled for (x86-64-v2), a timer that lets an idle guest sleep (arat),
    /// random numbers from the host, and the instructions that make TLS bearable. Wider vectors are
    /// left out on purpose: programs would choose them, and emulated they are slower.
    pub fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Emulation { .. } => {
                "qemu64,+arat,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+lahf_lm,+aes,+pclmulqdq,+rdrand"
            }
        }
    }
}

/// The guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nobody else will see it.
    Private,
    /// A file that will be part of a snapshot.
    Recorded(RawFd),
    /// A sealed snapshot, shared until written to.
    Clone(RawFd),
}

/// A writable layer needs its file twice: QEMU looks for a descriptor of the mode it wants, and a
/// closed layer is read only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writable {
    pub read_write: RawFd,
    pub read_only: RawFd,
}

/// How the guest comes to life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    Boot {
        kernel: RawFd,
        initramfs: RawFd,
        command_line: String,
    },
    /// Waits to be told where its state comes from.
    Incoming,
}

/// One VMM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub name: String,
    pub accelerator: Accelerator,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub memory: Memory,
    pub start: Start,
    /// The raw base first, then qcow2 layers.
    pub disk: Vec<RawFd>,
    pub overlay: Option<Writable>,
    /// Whether the guest's network reaches anything at all.
    pub egress: bool,
    /// Listening sockets.
    pub monitor: RawFd,
    pub agent: RawFd,
}

/// The guest's side of its private network. QEMU answers for the rest of 10.0.2.0/24.
pub const GUEST_ADDRESS: &str = "10.0.2.15/24";
pub const GUEST_GATEWAY: &str = "10.0.2.2";

/// Descriptor sets: layers count from 1, the writable one is here, later ones follow it.
pub const OVERLAY_SET: u32 = 1000;

/// What the guest wrote on its console, most recent last: enough for a kernel's last words.
pub const CONSOLE_BYTES: u32 = 64 * 1024;

impl Plan {
    /// Every argument but the program's own name.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Arguments::default();
        arguments.flag("-nodefaults").flag("-no-user-config").flag("-no-reboot");
        arguments.option("-name", &self.name);
        arguments.option("-display", "none");
        // `on` alone would still allow a new program to be started.
        arguments.option("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        arguments.option("-machine", "microvm,memory-backend=ram,rtc=on");
        arguments.option("-global", "virtio-mmio.force-legacy=false");
        arguments.option(
            "-accel",
            &match self.accelerator {
                Accelerator::Kvm => "kvm".to_owned(),
                Accelerator::Emulation { translation_buffer_mb } => {
                    format!("tcg,thread=multi,tb-size={translation_buffer_mb}")
                }
            },
        );
        arguments.option("-cpu", self.accelerator.cpu());
        arguments.option("-smp", &self.vcpus.to_string());
        arguments.option("-m", &format!("{}M", self.memory_mb));
        arguments.option("-object", &self.memory_object());
        self.start(&mut arguments);
        self.disk(&mut arguments);
        let restrict = if self.egress { "off" } else { "on" };
        arguments.option("-netdev", &format!("user,id=net,ipv6=off,restrict={restrict}"));
        arguments.option("-device", "virtio-net-device,netdev=net,mac=52:54:00:6e:73:01");
        arguments.option("-object", "rng-builtin,id=random");
        arguments.option("-device", "virtio-rng-device,rng=random");
        arguments.option("-chardev", &format!("ringbuf,id=console,size={CONSOLE_BYTES}"));
        arguments.option("-serial", "chardev:console");
        arguments.option("-chardev", &format!("socket,id=agent,fd={},server=on,wait=off", self.agent));
        arguments.option("-device", "virtio-serial-device,max_ports=2");
        arguments.option("-device", "virtserialport,chardev=agent,name=nullspace.agent");
        arguments.option("-chardev", &format!("socket,id=monitor,fd={},server=on,wait=off", self.monitor));
        arguments.option("-mon", "chardev=monitor,mode=control");
        arguments.0
    }

    fn memory_object(&self) -> String {
        let file = |fd, share| {
            format!("memory-backend-file,id=ram,size={}M,mem-path=/proc/self/fd/{fd},share={share}", self.memory_mb)
        };
        match self.memory {
            Memory::Private => format!("memory-backend-ram,id=ram,size={}M", self.memory_mb),
            Memory::Recorded(fd) => file(fd, "on"),
            Memory::Clone(fd) => file(fd, "off"),
        }
    }

    fn start(&self, arguments: &mut Arguments) {
        match &self.start {
            Start::Boot { kernel, initramfs, command_line } => {
                arguments.option("-kernel", &format!("/proc/self/fd/{kernel}"));
                arguments.option("-initrd", &format!("/proc/self/fd/{initramfs}"));
                arguments.option("-append", command_line);
            }
            Start::Incoming => {
                arguments.flag("-S");
                arguments.option("-incoming", "defer");
            }
        }
    }

    fn disk(&self, arguments: &mut Arguments) {
        let Some(overlay) = self.overlay else { return };
        for (index, fd) in self.disk.iter().enumerate() {
            let set = index + 1;
            arguments.option("-add-fd", &format!("fd={fd},set={set}"));
            // Layers never change, so there is nothing to lock.
            arguments.json(
                "-blockdev",
                &json!({
                    "driver": "file", "node-name": format!("file{set}"), "filename": format!("/dev/fdset/{set}"),
                    "read-only": true, "locking": "off",
                }),
            );
            arguments.json(
                "-blockdev",
                &match index {
                    0 => json!({
                        "driver": "raw", "node-name": "disk1", "file": "file1", "read-only": true,
                    }),
                    _ => json!({
                        "driver": "qcow2", "node-name": format!("disk{set}"), "file": format!("file{set}"),
                        "backing": format!("disk{index}"), "read-only": true,
                    }),
                },
            );
        }
        for fd in [overlay.read_write, overlay.read_only] {
            arguments.option("-add-fd", &format!("fd={fd},set={OVERLAY_SET}"));
        }
        arguments.json("-blockdev", &overlay_file(OVERLAY_SET));
        arguments.json("-blockdev", &overlay_format(OVERLAY_SET, Some(&format!("disk{}", self.disk.len()))));
        // `report`: a full host disk is the guest's write error, not a stopped machine.
        arguments.option(
            "-device",
            &format!("virtio-blk-device,id=root,drive=overlay{OVERLAY_SET},werror=report,rerror=report"),
        );
    }
}

/// The file of a writable layer. Its contents need not survive a power cut: whoever keeps the layer
/// syncs the file when the machine is done with it.
pub fn overlay_file(set: u32) -> serde_json::Value {
    json!({
        "driver": "file", "node-name": format!("overlayfile{set}"), "filename": format!("/dev/fdset/{set}"),
        "cache": { "no-flush": true }, "discard": "unmap", "locking": "off",
    })
}

/// The format of a writable layer over `backing`, or over what a snapshot will put there.
pub fn overlay_format(set: u32, backing: Option<&str>) -> serde_json::Value {
    json!({
        "driver": "qcow2", "node-name": format!("overlay{set}"), "file": format!("overlayfile{set}"),
        "backing": backing, "cache": { "no-flush": true }, "discard": "unmap",
    })
}

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn flag(&mut self, name: &str) -> &mut Self {
        self.0.push(name.to_owned());
        self
    }

    fn option(&mut self, name: &str, value: &str) -> &mut Self {
        self.0.extend([name.to_owned(), value.to_owned()]);
        self
    }

    fn json(&mut self, name: &str, value: &serde_json::Value) {
        self.option(name, &value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            name: "ins_1".into(),
            accelerator: Accelerator::Emulation { translation_buffer_mb: 32 },
            vcpus: 2,
            memory_mb: 512,
            memory: Memory::Clone(9),
            start: Start::Incoming,
            disk: vec![10, 11],
            overlay: Some(Writable { read_write: 12, read_only: 13 }),
            egress: false,
            monitor: 14,
            agent: 15,
        }
    }

    fn has(arguments: &[String], name: &str, value: &str) -> bool {
        arguments.windows(2).any(|pair| pair[0] == name && pair[1] == value)
    }

    #[test]
    fn a_restored_machine_shares_its_memory_until_it_writes() {
        let arguments = plan().arguments();
        assert!(has(&arguments, "-object", "memory-backend-file,id=ram,size=512M,mem-path=/proc/self/fd/9,share=off"));
        assert!(has(&arguments, "-incoming", "defer"));
        assert!(!arguments.iter().any(|argument| argument == "-kernel"));
    }

    #[test]
    fn a_machine_without_internet_access_reaches_nothing() {
        assert!(has(&plan().arguments(), "-netdev", "user,id=net,ipv6=off,restrict=on"));
        let open = Plan { egress: true, ..plan() };
        assert!(has(&open.arguments(), "-netdev", "user,id=net,ipv6=off,restrict=off"));
    }

    #[test]
    fn only_the_overlay_can_be_written() {
        let arguments = plan().arguments();
        let writable: Vec<_> = arguments
            .iter()
            .filter(|argument| argument.starts_with('{') && !argument.contains(r#""read-only":true"#))
            .collect();
        assert_eq!(writable.len(), 2);
        assert!(writable.iter().all(|node| node.contains("overlay")));
    }

    #[test]
    fn every_vmm_is_confined() {
        let confined = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
        assert!(has(&plan().arguments(), "-sandbox", confined));
    }
}
