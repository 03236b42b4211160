//! Makes empty qcow2 files: the writable layer of every machine.
//!
//! Written here rather than by `qemu-img create`, because it is on the path of every restore and an
//! empty file is four clusters. It names no backing file: the chain is put together by whoever opens
//! it, from descriptors, so that no machine can make its VMM open a path. Layout as in QEMU's
//! `docs/interop/qcow2.txt`, version 3.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// What one entry of the first-level table covers: a cluster of 8-byte second-level entries.
const L1_COVERS: u64 = CLUSTER * (CLUSTER / 8);
/// One cluster of first-level entries: 4 TiB, more than any disk here may have.
const SIZE_MAX: u64 = L1_COVERS * (CLUSTER / 8);

/// Makes an empty layer over whatever it will be opened with. The file must not exist.
pub fn create(path: &Path, size_bytes: u64) -> io::Result<File> {
    if size_bytes == 0 || size_bytes > SIZE_MAX || !size_bytes.is_multiple_of(512) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a size for a disk"));
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let l1_entries = size_bytes.div_ceil(L1_COVERS) as u32;
    // Clusters: 0 header, 1 reference count table, 2 its one block, 3 first-level table.
    let mut header = Vec::with_capacity(112);
    header.extend_from_slice(b"QFI\xfb");
    header.extend_from_slice(&3u32.to_be_bytes()); // version
    header.extend_from_slice(&0u64.to_be_bytes()); // backing file name: none
    header.extend_from_slice(&0u32.to_be_bytes());
    header.extend_from_slice(&CLUSTER_BITS.to_be_bytes());
    header.extend_from_slice(&size_bytes.to_be_bytes());
    header.extend_from_slice(&0u32.to_be_bytes()); // not encrypted
    header.extend_from_slice(&l1_entries.to_be_bytes());
    header.extend_from_slice(&(3 * CLUSTER).to_be_bytes());
    header.extend_from_slice(&CLUSTER.to_be_bytes());
    header.extend_from_slice(&1u32.to_be_bytes()); // clusters of the reference count table
    header.extend_from_slice(&0u32.to_be_bytes()); // internal snapshots: none
    header.extend_from_slice(&0u64.to_be_bytes());
    header.extend_from_slice(&[0; 24]); // incompatible, compatible and automatic features: none
    header.extend_from_slice(&4u32.to_be_bytes()); // reference counts of 2^4 bits
    header.extend_from_slice(&104u32.to_be_bytes()); // length of this header
    header.extend_from_slice(&[0; 8]); // end of header extensions
    file.write_all_at(&header, 0)?;
    file.write_all_at(&(2 * CLUSTER).to_be_bytes(), CLUSTER)?;
    file.write_all_at(&[0, 1].repeat(4), 2 * CLUSTER)?; // four clusters, used once each
    file.set_len(4 * CLUSTER)?;
    Ok(file)
}

/// The virtual size of a disk file: of the header for qcow2, of the file for raw.
pub fn virtual_size(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    let mut start = [0; 32];
    match file.read_exact_at(&mut start, 0) {
        Ok(()) if start.starts_with(b"QFI\xfb") => {
            Ok(u64::from_be_bytes(*start[24..].first_chunk().expect("eight bytes are left")))
        }
        Ok(()) => Ok(file.metadata()?.len()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn qemu_finds_no_fault_in_an_empty_layer_of_any_size() {
        let directory = tempfile::tempdir().unwrap();
        for (number, size) in [512, 64 << 20, (4 << 30) + 512, 1 << 40].into_iter().enumerate() {
            let path = directory.path().join(format!("{number}.qcow2"));
            create(&path, size).unwrap();
            assert_eq!(virtual_size(&path).unwrap(), size);
            let check = Command::new("qemu-img").args(["check", "-q", "-f", "qcow2"]).arg(&path).status();
            match check {
                Ok(status) => assert!(status.success(), "{size}"),
                Err(error) => eprintln!("skipped: qemu-img cannot be run here: {error}"),
            }
        }
    }

    #[test]
    fn absurd_sizes_are_refused_before_a_file_exists() {
        let directory = tempfile::tempdir().unwrap();
        for size in [0, 1000, SIZE_MAX + 512] {
            let path = directory.path().join("bad.qcow2");
            assert!(create(&path, size).is_err());
            assert!(!path.exists());
        }
    }
}
