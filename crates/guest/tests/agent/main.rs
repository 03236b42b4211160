//! The agent as a process on a unix socket, spoken to through the real client.

mod files;
mod hostile;
mod network;
mod processes;
mod snapshots;

use nullspace_guest::link::{Link, Stream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// An agent, ended with its directory when the test ends.
pub struct TestAgent {
    child: Child,
    pub directory: tempfile::TempDir,
}

impl TestAgent {
    pub async fn start() -> TestAgent {
        let directory = tempfile::tempdir().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_nullspace-guest"))
            .arg("--socket")
            .arg(directory.path().join("socket"))
            .arg("--state-dir")
            .arg(directory.path().join("state"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let agent = TestAgent { child, directory };
        agent.connection().await;
        agent
    }

    /// A raw connection to the agent's socket.
    pub async fn connection(&self) -> UnixStream {
        let socket = self.directory.path().join("socket");
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match UnixStream::connect(&socket).await {
                Ok(connection) => return connection,
                Err(error) if Instant::now() > deadline => panic!("the agent does not listen: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    pub async fn link(&self) -> Link {
        Link::connect(self.connection().await, nonce(), soon()).await.unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Bytes of memory that the agent occupies.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// How often the agent has had the processor.
    pub fn switches(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum()
    }
}

impl Drop for TestAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Long enough for a busy machine.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// Different each time.
pub fn nonce() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(0u8).to_ne_bytes();
    [half(), half()].concat().try_into().unwrap()
}

pub async fn open(link: &Link) -> Stream {
    link.open().await.unwrap()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Waits until something is so; fails after a while.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = soon();
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process is there and not merely waiting to be collected.
pub fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(')').next().unwrap().trim_start().chars().next();
        state != Some('Z')
    })
}
