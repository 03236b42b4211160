//! Packs the initramfs: a newc cpio archive, which is all the kernel asks for.
//!
//! ```text
//! /init              the agent
//! /modules/NN-name.ko  in loading order
//! /dev /proc /sys …    empty, for the agent to mount things on
//! ```

use super::modules::Module;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// The same parts give the same bytes, so the digest of the archive names what is in it.
pub fn build(agent: &[u8], modules: &[Module]) -> Vec<u8> {
    let mut archive = Archive::default();
    for directory in ["dev", "proc", "sys", "run", "mnt", "newroot", "modules"] {
        archive.add(directory, DIRECTORY, &[]);
    }
    archive.add("init", PROGRAM, agent);
    for (index, module) in modules.iter().enumerate() {
        archive.add(&format!("modules/{index:02}-{}.ko", module.name), FILE, &module.bytes);
    }
    archive.finish()
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, contents: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(contents.len()).expect("nothing in an initramfs is larger than 4 GiB");
        let links = if mode == DIRECTORY { 2 } else { 1 };
        // Magic, then: inode, mode, uid, gid, links, time, size, device and special device (major and
        // minor each), length of the name with its NUL, and an unused checksum.
        let fields = [self.entries, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn cpio_unpacks_what_was_packed() {
        let modules = [Module { name: "virtio".into(), bytes: b"module".to_vec() }];
        let archive = build(b"agent", &modules);
        let directory = tempfile::tempdir().unwrap();
        // busybox is on every machine that builds our test images.
        let unpack =
            Command::new("busybox").args(["cpio", "-id"]).current_dir(&directory).stdin(Stdio::piped()).spawn();
        let mut unpack = match unpack {
            Ok(child) => child,
            Err(error) => return eprintln!("skipped: busybox cannot be run here: {error}"),
        };
        unpack.stdin.take().unwrap().write_all(&archive).unwrap();
        assert!(unpack.wait().unwrap().success());
        assert_eq!(std::fs::read(directory.path().join("init")).unwrap(), b"agent");
        assert_eq!(std::fs::read(directory.path().join("modules/00-virtio.ko")).unwrap(), b"module");
        assert!(directory.path().join("proc").is_dir());
    }
}
