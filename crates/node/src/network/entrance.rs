//! The namespaces a process enters before it becomes its program.

use crate::process::check;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Which network a process sees.
#[derive(Debug)]
pub enum Entrance {
    /// The host's.
    Host,
    /// A namespace that exists, inside its user namespace where an ordinary user made it.
    Join { user: Option<OwnedFd>, net: OwnedFd },
    /// A new, empty one. `user` makes a user namespace first, as an ordinary user must.
    Empty { user: bool },
}

impl Entrance {
    /// Called in the child, between fork and exec: only system calls.
    pub fn enter(&self) -> io::Result<()> {
        // SAFETY: plain system calls on open descriptors.
        unsafe {
            match self {
                Self::Host => {}
                Self::Join { user, net } => {
                    if let Some(user) = user {
                        check(libc::setns(user.as_raw_fd(), libc::CLONE_NEWUSER))?;
                    }
                    check(libc::setns(net.as_raw_fd(), libc::CLONE_NEWNET))?;
                }
                Self::Empty { user } => {
                    let user = if *user { libc::CLONE_NEWUSER } else { 0 };
                    check(libc::unshare(user | libc::CLONE_NEWNET))?;
                }
            }
        }
        Ok(())
    }
}
