//! Collecting processes that ended: those started here, and orphans that the kernel hands to PID 1.
//!
//! One loop waits for any child, so nothing else in the agent may wait for one.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Tells how processes ended.
#[derive(Debug, Clone)]
pub struct Reaper {
    expected: Arc<Mutex<HashMap<u32, oneshot::Sender<ExitStatus>>>>,
}

impl Reaper {
    /// Starts collecting. On a runtime of one thread, a process that was just started cannot be
    /// collected before the next `await`, so there is time to `expect` it.
    pub fn start() -> io::Result<Reaper> {
        let mut children = signal(SignalKind::child())?;
        let reaper = Reaper { expected: Arc::default() };
        let collecting = reaper.clone();
        tokio::spawn(async move {
            while children.recv().await.is_some() {
                collecting.collect();
            }
        });
        Ok(reaper)
    }

    /// Gives the status of a process that was just started, when it ends.
    pub fn expect(&self, pid: u32) -> oneshot::Receiver<ExitStatus> {
        let (tell, told) = oneshot::channel();
        self.expected.lock().expect("no panic under this lock").insert(pid, tell);
        told
    }

    /// Signals tell only that something ended, so everything that has is collected.
    fn collect(&self) {
        loop {
            let mut status = 0;
            // SAFETY: `status` is valid for writing for the length of the call.
            let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
            let Some(pid) = u32::try_from(pid).ok().filter(|pid| *pid > 0) else { return };
            if let Some(tell) = self.expected.lock().expect("no panic under this lock").remove(&pid) {
                // Whoever asked may have gone.
                let _ = tell.send(ExitStatus::from_raw(status));
            }
        }
    }
}
