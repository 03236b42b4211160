//! The root file system as a whole.

use super::{Agent, Place, fail, kernel, os};
use crate::protocol::{Failure, FailureCode};
use std::path::Path;

/// The machine's only disk.
pub const ROOT_DEVICE: &str = "/dev/vda";

const ROOT: &str = "/";

pub async fn freeze(agent: &Agent) -> Result<(), Failure> {
    machine_only(agent)?;
    blocking("freeze the root file system", || {
        nix::unistd::sync();
        kernel::freeze_file_system(Path::new(ROOT))
    })
    .await
}

pub async fn thaw(agent: &Agent) -> Result<(), Failure> {
    machine_only(agent)?;
    // Not among the file work: all of that may be waiting for this.
    kernel::thaw_file_system(Path::new(ROOT)).map_err(|error| os(&error, "thaw the root file system"))
}

/// Grows the file system to its disk; one that fills it already is left as it is.
pub async fn grow(agent: &Agent) -> Result<(), Failure> {
    machine_only(agent)?;
    blocking("grow the root file system", || {
        let size = kernel::device_size(Path::new(ROOT_DEVICE))?;
        let now = nix::sys::statfs::statfs(ROOT)?;
        let block = u64::try_from(now.block_size()).unwrap_or(4096).max(512);
        match kernel::resize_ext4(Path::new(ROOT), size / block) {
            // The disk has become no larger. Asking to grow to the same size is fine; to less, it is not.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && now.blocks() * block >= size * 9 / 10 => Ok(()),
            result => result,
        }
    })
    .await
}

fn machine_only(agent: &Agent) -> Result<(), Failure> {
    match agent.place {
        Place::Machine => Ok(()),
        Place::Shared => Err(fail(FailureCode::InvalidRequest, "the agent has no disk of its own here")),
    }
}

async fn blocking(
    doing: &'static str,
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> Result<(), Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| os(&error, doing)),
        Err(_) => Err(fail(FailureCode::Internal, format!("the agent failed to {doing}"))),
    }
}
