//! `busybox`: the host's static busybox with a link for each of its applets, 2 MB, made at once.

use super::failed;
use crate::api::ImageError;
use crate::disk::tools::BUSYBOX;
use crate::images::blobs::{BlobDigest, Blobs};
use crate::images::manifest::ConfigBody;
use crate::images::pack;
use std::io;

/// Where the kernel is told to find an interpreter; a static program has none.
const PT_INTERP: u32 = 3;

const DIRECTORIES: [(&str, u32); 16] = [
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sbin", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/sbin", 0o755),
    ("var", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
];

const FILES: [(&str, &str, u32); 6] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n", 0o644),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n", 0o644),
    ("etc/shadow", "root:*:::::::\nnobody:*:::::::\n", 0o640),
    ("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n", 0o644),
    ("etc/nsswitch.conf", "hosts: files dns\n", 0o644),
    ("etc/os-release", "NAME=BusyBox\nID=busybox\nPRETTY_NAME=BusyBox\n", 0o644),
];

/// Makes the image and gives its manifest's digest.
pub fn make(blobs: &Blobs) -> Result<BlobDigest, ImageError> {
    let doing = "make a busybox image";
    let mut command = BUSYBOX.command().map_err(failed(doing))?;
    let program = std::fs::read(command.get_program()).map_err(failed(doing))?;
    if !is_static(&program) {
        let detail = "the host's busybox needs shared libraries: `apt-get install busybox-static`".into();
        return Err(ImageError::Failed { doing: doing.into(), detail });
    }
    let listed = command.arg("--list").output().map_err(failed(doing))?;
    let applets = String::from_utf8_lossy(&listed.stdout);
    let archive = archive(&program, applets.lines()).map_err(failed(doing))?;
    let config = ConfigBody {
        env: Some(vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()]),
        cmd: Some(vec!["sh".into()]),
        working_dir: Some("/".into()),
        ..ConfigBody::default()
    };
    pack::single_layer(blobs, archive.as_slice(), config)
}

/// The same program and applets give the same bytes.
fn archive<'a>(program: &[u8], applets: impl Iterator<Item = &'a str>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind, mode, size| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header
    };
    for (path, mode) in DIRECTORIES {
        archive.append_data(&mut header(tar::EntryType::Directory, mode, 0), format!("{path}/"), io::empty())?;
    }
    for (path, content, mode) in FILES {
        archive.append_data(
            &mut header(tar::EntryType::Regular, mode, content.len() as u64),
            path,
            content.as_bytes(),
        )?;
    }
    archive.append_data(&mut header(tar::EntryType::Regular, 0o755, program.len() as u64), "bin/busybox", program)?;
    for applet in applets.map(str::trim) {
        // One is called busybox itself, and none has a path in it.
        if !applet.is_empty() && applet != "busybox" && !applet.contains('/') {
            archive.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), format!("bin/{applet}"), "busybox")?;
        }
    }
    archive.into_inner()
}

/// Whether a 64-bit ELF program runs without an interpreter.
fn is_static(program: &[u8]) -> bool {
    let number = |at: usize, length: usize| {
        let bytes = program.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)))
    };
    let headers = || {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        let kind = |index| number(usize::try_from(start.checked_add(index * size)?).ok()?, 4);
        (0..count).map(kind).collect::<Option<Vec<_>>>()
    };
    program.starts_with(b"\x7fELF\x02\x01") && headers().is_some_and(|kinds| !kinds.contains(&u64::from(PT_INTERP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_libraries_is_told_from_a_static_one() {
        let this_test = std::fs::read("/proc/self/exe").unwrap();
        assert!(!is_static(&this_test));
        assert!(!is_static(b"#!/bin/sh"));
        assert!(!is_static(&this_test[..40]));
        if let Some(busybox) = BUSYBOX.find() {
            assert!(is_static(&std::fs::read(busybox).unwrap()));
        } else {
            println!("skipped: the Debian package `busybox-static` is not installed");
        }
    }
}
