//! One running VMM as a `Machine`.

use super::command::{OVERLAY_SET, overlay_file, overlay_format};
use super::monitor::Monitor;
use super::qcow2;
use crate::api::{GuestStream, Liveness};
use crate::driver::{Error, Machine, Snapshot};
use crate::process::Watched;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Names in a machine's home and in a snapshot's directory.
pub const MONITOR_SOCKET: &str = "monitor.sock";
pub const AGENT_SOCKET: &str = "agent.sock";
pub const OVERLAY: &str = "overlay.qcow2";
pub const MEMORY: &str = "memory";
pub const STATE: &str = "state";

/// The device state is some 60 KB; a host that needs longer for it is not working.
const MIGRATION_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at a migration: a restore is waiting for it.
const MIGRATION_POLL: Duration = Duration::from_millis(2);
/// A killed process ends when the kernel gets to it. `stop` has 5 s in all.
const END_WITHIN: Duration = Duration::from_secs(4);
/// A socket of a living VMM accepts at once.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A VMM, its monitor and its home.
#[derive(Debug)]
pub struct Microvm {
    vmm: Watched,
    monitor: Monitor,
    home: PathBuf,
    /// Set of the present writable layer; a found machine goes on from its own count.
    overlay: AtomicU32,
}

impl Microvm {
    pub fn new(vmm: Watched, monitor: Monitor, home: PathBuf) -> Self {
        Self { vmm, monitor, home, overlay: AtomicU32::new(OVERLAY_SET) }
    }

    /// Loads a snapshot into a VMM that waits for one. Its processors stand still afterwards.
    pub async fn load(&self, state: &File) -> Result<(), Error> {
        let doing = "load its snapshot";
        self.ignore_shared_memory().await?;
        self.monitor.ask_with(doing, "getfd", json!({ "fdname": "state" }), Some(state.as_fd())).await?;
        self.monitor.ask(doing, "migrate-incoming", json!({ "uri": "fd:state" })).await?;
        self.migrated(doing).await
    }

    async fn ignore_shared_memory(&self) -> Result<(), Error> {
        let capabilities = json!({ "capabilities": [{ "capability": "x-ignore-shared", "state": true }] });
        self.monitor.ask("leave memory where it is", "migrate-set-capabilities", capabilities).await?;
        Ok(())
    }

    async fn migrated(&self, doing: &'static str) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < MIGRATION_WITHIN {
            let status = self.monitor.ask(doing, "query-migrate", json!({})).await?;
            match status.get("status").and_then(Value::as_str) {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => {
                    let detail = status.get("error-desc").and_then(Value::as_str).unwrap_or("no reason given");
                    return Err(Error::Refused { doing: doing.to_owned(), detail: detail.to_owned() });
                }
                _ => tokio::time::sleep(MIGRATION_POLL).await,
            }
        }
        Err(Error::TimedOut { doing, seconds: MIGRATION_WITHIN.as_secs() })
    }

    fn overlay_node(&self) -> String {
        format!("overlay{}", self.overlay.load(Ordering::Acquire))
    }
}

#[async_trait]
impl Machine for Microvm {
    fn liveness(&self) -> Liveness {
        if self.vmm.has_ended() || self.monitor.is_closed() { Liveness::Dead } else { Liveness::Alive }
    }

    async fn ended(&self) {
        self.vmm.ended().await;
    }

    async fn is_paused(&self) -> Result<bool, Error> {
        let status = self.monitor.ask("say whether it runs", "query-status", json!({})).await?;
        Ok(status.get("running").and_then(Value::as_bool) != Some(true))
    }

    async fn pause(&self) -> Result<(), Error> {
        self.monitor.ask("pause", "stop", json!({})).await.map(drop)
    }

    async fn resume(&self) -> Result<(), Error> {
        self.monitor.ask("resume", "cont", json!({})).await.map(drop)
    }

    async fn kill(&self) -> Result<(), Error> {
        self.vmm.kill();
        let ended = timeout(END_WITHIN, self.vmm.ended()).await;
        ended.map_err(|_| Error::TimedOut { doing: "end", seconds: END_WITHIN.as_secs() })
    }

    fn kill_now(&self) {
        self.vmm.kill();
    }

    async fn dial(&self) -> Result<Box<dyn GuestStream>, Error> {
        Ok(Box::new(connect(&self.home, AGENT_SOCKET, "take a connection to its agent").await?))
    }

    async fn grow_disk(&self, disk_mb: u32) -> Result<(), Error> {
        let doing = "grow its disk";
        let size = json!({ "node-name": self.overlay_node(), "size": u64::from(disk_mb) << 20 });
        self.monitor.ask(doing, "block_resize", size).await.map(drop)
    }

    async fn checkpoint_disk(&self, next: &Path) -> Result<(), Error> {
        let doing = "start a new disk layer";
        let size = self.disk_size(doing).await?;
        let set = self.overlay.load(Ordering::Acquire) + 1;
        let read_write = qcow2::create(next, size).map_err(Error::file("make the disk layer", next))?;
        let read_only = File::open(next).map_err(Error::file("open the disk layer", next))?;
        for file in [&read_write, &read_only] {
            self.monitor.ask_with(doing, "add-fd", json!({ "fdset-id": set }), Some(file.as_fd())).await?;
        }
        self.monitor.ask(doing, "blockdev-add", overlay_file(set)).await?;
        self.monitor.ask(doing, "blockdev-add", overlay_format(set, None)).await?;
        let layers = json!({ "node": self.overlay_node(), "overlay": format!("overlay{set}") });
        self.monitor.ask(doing, "blockdev-snapshot", layers).await?;
        self.overlay.store(set, Ordering::Release);
        Ok(())
    }

    async fn snapshot(&self, directory: &Path) -> Result<Snapshot, Error> {
        let doing = "save its snapshot";
        self.pause().await?;
        let size = self.disk_size(doing).await?;
        self.ignore_shared_memory().await?;
        let path = directory.join(STATE);
        let state = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file("make the device state", &path))?;
        self.monitor.ask_with(doing, "getfd", json!({ "fdname": "state" }), Some(state.as_fd())).await?;
        self.monitor.ask(doing, "migrate", json!({ "uri": "fd:state" })).await?;
        self.migrated(doing).await?;
        // The images are closed and flushed by now; there is nothing left to end in good order.
        self.kill().await?;
        let (from, to) = (self.home.join(MEMORY), directory.join(MEMORY));
        std::fs::rename(&from, &to).map_err(Error::file("keep the memory", &to))?;
        std::os::unix::fs::chown(&to, Some(0), Some(0)).or_else(|_| not_root()).map_err(Error::file("own", &to))?;
        Ok(Snapshot { disk_mb: u32::try_from(size.div_ceil(1 << 20)).unwrap_or(u32::MAX) })
    }

    async fn console(&self) -> String {
        let arguments = json!({ "device": "console", "size": super::command::CONSOLE_BYTES });
        match self.monitor.ask("show its console", "ringbuf-read", arguments).await {
            Ok(text) => text.as_str().unwrap_or_default().to_owned(),
            Err(_) => self.vmm.complaints(),
        }
    }
}

impl Microvm {
    async fn disk_size(&self, doing: &'static str) -> Result<u64, Error> {
        let devices = self.monitor.ask(doing, "query-block", json!({})).await?;
        let size = devices.pointer("/0/inserted/image/virtual-size").and_then(Value::as_u64);
        size.ok_or_else(|| Error::Refused { doing: doing.into(), detail: "it says nothing about its disk".into() })
    }

    /// What the VMM said about itself, for errors.
    pub fn complaints(&self) -> String {
        self.vmm.complaints()
    }
}

/// As an ordinary user everything is ours already.
fn not_root() -> std::io::Result<()> {
    if nix::unistd::geteuid().is_root() { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes a listening socket in a home. The path goes through a descriptor of the directory, because
/// a socket's address has room for 107 bytes and data directories may lie deep.
pub fn listen(home: &Path, name: &str) -> Result<std::os::unix::net::UnixListener, Error> {
    let directory = File::open(home).map_err(Error::file("open", home))?;
    let address = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
    std::os::unix::net::UnixListener::bind(address).map_err(Error::file("listen in", home))
}

/// Connects to a socket of a home.
pub async fn connect(home: &Path, name: &str, doing: &'static str) -> Result<UnixStream, Error> {
    let directory = File::open(home).map_err(Error::file("open", home))?;
    let address = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
    match timeout(CONNECT_WITHIN, UnixStream::connect(address)).await {
        Ok(connected) => connected.map_err(Error::file("connect to a socket in", home)),
        Err(_) => Err(Error::TimedOut { doing, seconds: CONNECT_WITHIN.as_secs() }),
    }
}
