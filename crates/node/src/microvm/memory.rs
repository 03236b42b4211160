//! A snapshot's memory: recorded in a sparse file while the machine runs, restored from a sealed copy.
//!
//! QEMU 7.2 opens a memory file for writing even when it maps it privately. A file that its user may
//! write would let one VMM that was taken over change the memory of every later clone; so clones get
//! a memory-backed file that the kernel itself keeps from ever changing again. Its pages are shared
//! by all clones until they write to them.

use nix::unistd::{Whence, lseek};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Copied at once. Also the grain at which zeros are left out, so it is a small number of pages.
const CHUNK: usize = 64 * 1024;

/// Copies a memory file and seals the copy.
pub fn sealed_copy(path: &Path) -> io::Result<OwnedFd> {
    let from = File::open(path)?;
    let length = from.metadata()?.len();
    // SAFETY: plain system call; the descriptor is ours alone.
    let to = unsafe {
        let fd = libc::memfd_create(c"nullspace-memory".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        File::from(OwnedFd::from_raw_fd(fd))
    };
    to.set_len(length)?;
    copy_data(&from, &to, length)?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: plain system call on an open descriptor.
    if unsafe { libc::fcntl(to.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(to.into())
}

/// Copies what is not a hole and not zero: pages of a clone's memory that stay holes cost nothing.
fn copy_data(from: &File, to: &File, length: u64) -> io::Result<()> {
    let mut chunk = vec![0u8; CHUNK];
    let mut offset = 0;
    while offset < length {
        let data = match lseek(from, offset as i64, Whence::SeekData) {
            Ok(data) => data as u64,
            Err(nix::errno::Errno::ENXIO) => return Ok(()), // nothing but a hole is left
            Err(error) => return Err(error.into()),
        };
        let hole = lseek(from, data as i64, Whence::SeekHole)? as u64;
        offset = data;
        while offset < hole.min(length) {
            let wanted = (hole.min(length) - offset).min(CHUNK as u64) as usize;
            from.read_exact_at(&mut chunk[..wanted], offset)?;
            if chunk[..wanted].iter().any(|byte| *byte != 0) {
                to.write_all_at(&chunk[..wanted], offset)?;
            }
            offset += wanted as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_sealed_copy_is_equal_sparse_and_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let file = File::create(&path).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"page", 32 << 20).unwrap();
        let copy = File::from(sealed_copy(&path).unwrap());
        let mut read = [0; 4];
        copy.read_exact_at(&mut read, 32 << 20).unwrap();
        assert_eq!(&read, b"page");
        assert_eq!(copy.metadata().unwrap().len(), 64 << 20);
        assert!(copy.metadata().unwrap().blocks() * 512 < 1 << 20);
        assert!(copy.write_all_at(b"x", 0).is_err());
        assert!(copy.set_len(1).is_err());
        // Also not through a descriptor of one's own, which is what a VMM has.
        let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
        let own = File::options().read(true).write(true).open(path).unwrap();
        assert!(own.write_all_at(b"x", 0).is_err());
    }
}
