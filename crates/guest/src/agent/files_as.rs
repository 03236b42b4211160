//! Doing file work as a user: with that user's permissions, and owning what is made.

use super::users::{Identity, Users};
use super::{fail, os};
use crate::protocol::{Failure, FailureCode};
use std::io;
use std::path::{Path, PathBuf};

/// Does blocking `work` with the rights of `identity`, on a thread of its own.
pub async fn act_as<T, W>(identity: &Identity, work: W) -> Result<T, Failure>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, Failure> + Send + 'static,
{
    let identity = identity.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _assumed = Assumed::assume(&identity)?;
        work()
    });
    done.await.unwrap_or_else(|_| Err(fail(FailureCode::Internal, "the agent failed at file work")))
}

/// Whose rights file work has, and the path it is about. A relative path starts at the user's home
/// if a user is named, else at `/workspace` if there is one.
pub fn locate(path: &str, user: Option<&str>) -> Result<(Identity, PathBuf), Failure> {
    let identity = Users::load().resolve(user)?;
    if path.is_empty() || path.contains('\0') {
        return Err(fail(FailureCode::InvalidRequest, "a path is empty or has a zero byte in it"));
    }
    let workspace = Path::new("/workspace");
    let base = match user {
        Some(_) => identity.home.as_path(),
        None if workspace.is_dir() => workspace,
        None => Path::new("/"),
    };
    let path = base.join(path);
    Ok((identity, path))
}

/// While this lives, the current thread touches files as somebody else. Only this thread: the system
/// calls are made directly, because the C library would change every thread.
struct Assumed {
    changed: bool,
}

impl Assumed {
    fn assume(identity: &Identity) -> Result<Assumed, Failure> {
        // SAFETY: takes and changes nothing.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        if (identity.uid, identity.gid) == (uid, gid) {
            return Ok(Assumed { changed: false });
        }
        // Made first, so that a failure half-way is undone.
        let assumed = Assumed { changed: true };
        set(&identity.groups, identity.gid, identity.uid).map_err(|error| os(&error, "act as another user"))?;
        Ok(assumed)
    }
}

impl Drop for Assumed {
    fn drop(&mut self) {
        // SAFETY: takes and changes nothing.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        if self.changed && uid == 0 && set(&[], gid, uid).is_err() {
            // A thread that would go on with somebody else's rights must not go on.
            std::process::abort();
        }
    }
}

fn set(groups: &[u32], gid: u32, uid: u32) -> io::Result<()> {
    // SAFETY: `groups` is valid for reading for the length of the call; the other calls take numbers.
    unsafe {
        if libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        // These return what was, also when they fail: asking again with an impossible id tells.
        libc::syscall(libc::SYS_setfsgid, gid);
        libc::syscall(libc::SYS_setfsuid, uid);
        let now_gid = libc::syscall(libc::SYS_setfsgid, u32::MAX);
        let now_uid = libc::syscall(libc::SYS_setfsuid, u32::MAX);
        if now_gid as u32 != gid || now_uid as u32 != uid {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
    }
    Ok(())
}
