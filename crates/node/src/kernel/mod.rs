//! What a microVM boots: a distribution's kernel, and an initramfs with our agent as `/init` and the
//! few modules that kernel needs to see its disk and its pipe.
//!
//! Both are read once at start into sealed memory, so that every VMM can open them whatever user it
//! runs as and wherever they lie, and so that what is booted is what the digest says.

mod agent;
mod initramfs;
mod locate;
mod modules;

pub use agent::find_agent;
pub use locate::{KernelFiles, cache_directory, locate};

use crate::driver::Error;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// Where to look before looking where it usually is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub kernel: Option<KernelFiles>,
    /// The guest agent's program.
    pub agent: Option<PathBuf>,
}

/// A kernel and an initramfs, ready to be handed to VMMs.
#[derive(Debug, Clone)]
pub struct GuestSystem {
    pub kernel: Arc<OwnedFd>,
    pub initramfs: Arc<OwnedFd>,
    /// Of both and of the protocol that the agent speaks: part of the compatibility key.
    pub digest: String,
    /// The kernel's release, for people.
    pub release: String,
}

impl GuestSystem {
    /// Finds the parts and puts them together. Reads some 30 MB: not for an async thread.
    pub fn assemble(settings: &Settings) -> Result<Self, Error> {
        let files = locate(settings)?;
        let agent = find_agent(settings)?;
        let kernel = std::fs::read(&files.image).map_err(Error::file("read the kernel", &files.image))?;
        let modules = modules::load(&files.modules)?;
        let initramfs = initramfs::build(&agent, &modules);
        let mut hash = Sha256::new();
        hash.update(nullspace_guest::protocol::VERSION.to_be_bytes());
        for part in [&kernel, &initramfs] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let sealed = |name, bytes: &[u8]| seal(bytes).map(Arc::new).map_err(Error::system(name));
        Ok(Self {
            kernel: sealed("keep the kernel in memory", &kernel)?,
            initramfs: sealed("keep the initramfs in memory", &initramfs)?,
            digest: hex::encode(&hash.finalize()[..16]),
            release: files.release,
        })
    }
}

/// A file in memory that nobody can change.
fn seal(bytes: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: plain system calls; the descriptor is ours alone.
    unsafe {
        let fd = libc::memfd_create(c"nullspace-boot".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut file = File::from(OwnedFd::from_raw_fd(fd));
        file.write_all(bytes)?;
        let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        if libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(file.into())
    }
}
