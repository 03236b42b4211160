//! Makes one profile: boot, start command, readiness, freeze, snapshot.

use super::shelf::Shelf;
use super::{Artifact, Card, Error, Profile, Settings, Size};
use crate::agent::{ANSWER_WITHIN, Agent};
use crate::doomed::Doomed;
use crate::driver::{Boot, Driver, Network, Purpose};
use crate::journal::{Home, Journal};
use nullspace_domain::readiness::{Pace, Readiness};
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_guest::client::{self, Event};
use nullspace_guest::protocol::{Exec, Exit, Probe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The writable layer that becomes part of the profile.
pub const OVERLAY: &str = "overlay.qcow2";

/// The most of a start command's output that an error holds: enough for a stack trace.
const TAIL_MAX: usize = 4 * 1024;

/// Flushing a disk that a start command has just written takes its time.
const FREEZE_WITHIN: Duration = Duration::from_secs(120);

/// One attempt of a probe that gets no answer is given up, and counts as not ready.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(15);

/// Hears, in plain words, how far making a profile is. The words hold nothing of the guest's.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(&'static str, String) + Send + Sync>);

impl Progress {
    /// `tell` gets a published build phase (`startup`, `readiness`, `snapshot`) and a sentence.
    pub fn new(tell: impl Fn(&'static str, String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// For callers that wait without watching.
    pub fn silent() -> Self {
        Self::new(|_, _| {})
    }

    fn tell(&self, phase: &'static str, text: impl Into<String>) {
        (self.0)(phase, text.into());
    }
}

/// The directory of a profile that is being made. Removed when that fails or is given up; one that is in
/// its place has left it.
struct Workbench {
    path: PathBuf,
}

impl Drop for Workbench {
    fn drop(&mut self) {
        // What stays behind is removed at the next attempt or start.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

pub struct Maker {
    pub driver: Arc<dyn Driver>,
    pub journal: Journal,
    pub settings: Settings,
    pub shelf: Arc<Shelf>,
    pub progress: Progress,
}

impl Maker {
    pub async fn make(self, key: &str, artifact: &Artifact, size: Size) -> Result<Profile, Error> {
        let workbench = Workbench { path: self.shelf.workbench(key)? };
        let made = self.snapshot(key, &workbench.path, artifact, size).await;
        let placed = match made {
            Ok(card) => self.put(key, &workbench.path, card).await,
            Err(error) => Err(error),
        };
        drop(workbench);
        for directory in self.shelf.evict(self.settings.disk_budget_bytes) {
            self.driver.forget_snapshot(&directory);
        }
        placed
    }

    async fn put(&self, key: &str, workbench: &Path, card: Card) -> Result<Profile, Error> {
        let (shelf, key, workbench) = (self.shelf.clone(), key.to_owned(), workbench.to_owned());
        // Syncing some hundred megabytes is not for an async thread.
        let put = tokio::task::spawn_blocking(move || {
            let directory = shelf.put(&key, &workbench, &card)?;
            Ok(Profile { key, directory, card })
        });
        put.await.expect("putting a profile into its place does not panic")
    }

    async fn snapshot(&self, key: &str, workbench: &Path, artifact: &Artifact, size: Size) -> Result<Card, Error> {
        self.progress.tell("startup", "booting the template's machine");
        // One that was given up a moment ago may still be on its way out, under the same name.
        self.journal.settled().await;
        let doomed = Doomed::new(self.journal.create(&format!("profile_{key}"), None, None)?);
        let made = self.snapshot_in(doomed.home(), workbench, artifact, size).await;
        // Also a failure is told only when nothing of the machine is left.
        let ended = doomed.end().await;
        if let (Err(_), Err(error)) = (&made, &ended) {
            tracing::warn!(profile = key, error = %error.chain(), "cannot end a machine that was to become a profile");
        }
        let card = made?;
        ended?;
        Ok(card)
    }

    async fn snapshot_in(&self, home: &Home, workbench: &Path, artifact: &Artifact, size: Size) -> Result<Card, Error> {
        let slowdown = self.driver.slowdown();
        let boot = Boot {
            disk: artifact.disk.clone(),
            overlay: Some(workbench.join(OVERLAY)),
            disk_mb: self.settings.disk_mb,
            vcpus: size.vcpus,
            memory_mb: size.memory_mb,
            network: Network::Public,
            purpose: Purpose::Snapshot,
        };
        let machine = self.driver.boot(home, boot).await?;
        let agent = Agent::new(machine.clone());
        let booted = agent.ask("boot", self.settings.boot_within * slowdown, client::ping).await;
        if let Err(error) = booted {
            let console = machine.console().await;
            return Err(Error::Failed(format!(
                "{}; the console ends with: {}",
                error.chain(),
                tail(console.as_bytes())
            )));
        }
        let now = super::renew::unix_nanos();
        agent.ask("set the clock", ANSWER_WITHIN, |stream| client::set_time(stream, now)).await?;
        agent.ask("grow the disk", FREEZE_WITHIN, client::grow_root).await?;
        self.become_ready(&agent, &artifact.runtime, slowdown).await?;
        self.progress.tell("snapshot", "taking the snapshot");
        agent.ask("freeze", FREEZE_WITHIN, client::freeze).await?;
        agent.hang_up().await;
        let snapshot = machine.snapshot(workbench).await?;
        let compatibility = self.driver.compatibility();
        Ok(Card { artifact: artifact.id.clone(), size, disk_mb: snapshot.disk_mb, compatibility })
    }

    /// Runs the start command and waits until the template says it is ready.
    async fn become_ready(&self, agent: &Agent, runtime: &RuntimeConfig, slowdown: u32) -> Result<(), Error> {
        let mut start = None;
        if let Some(command) = &runtime.start_cmd {
            self.progress.tell("startup", "running the start command");
            let exec = Exec {
                command: command.clone(),
                shell: true,
                envs: runtime.default_envs.clone(),
                cwd: runtime.default_workdir.clone(),
                user: runtime.default_user.clone(),
                background: true,
                ..Exec::default()
            };
            let started = agent.ask("run the start command", ANSWER_WITHIN, |stream| client::start(stream, exec)).await;
            start = Some(started.map_err(|error| match error {
                crate::driver::Error::Refused { detail, .. } => {
                    Error::NotReady(format!("the start command could not be run: {detail}"))
                }
                other => other.into(),
            })?);
        }
        let Some(readiness) = &runtime.readiness else { return Ok(()) };
        self.progress.tell("readiness", "waiting until the template is ready");
        let (probe, pace) = match readiness {
            Readiness::Timeout { timeout_ms } => {
                sleep(Duration::from_millis(*timeout_ms) * slowdown).await;
                return Ok(());
            }
            Readiness::Tcp { port, pace } => (Probe::Tcp { port: *port }, pace),
            Readiness::Http { port, path, pace } => (Probe::Http { port: *port, path: path.clone() }, pace),
            Readiness::Command { command, pace } => {
                let probe = Probe::Command {
                    command: command.clone(),
                    envs: runtime.default_envs.clone(),
                    cwd: runtime.default_workdir.clone(),
                    user: runtime.default_user.clone(),
                    timeout_ms: ATTEMPT_WITHIN.as_millis() as u64,
                };
                (probe, pace)
            }
        };
        probe_until_ready(agent, &probe, pace, slowdown, start).await
    }
}

/// Probes at the pace asked for. A start command that failed is not waited for any longer; one that
/// ended well may have left a daemon behind.
async fn probe_until_ready(
    agent: &Agent,
    probe: &Probe,
    pace: &Pace,
    slowdown: u32,
    start: Option<u32>,
) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(pace.startup_grace_secs + pace.timeout_secs) * slowdown;
    // A grace period keeps a slow starter's log clean. Probing early is harmless, and waiting for the
    // whole of it, stretched by emulation, is not: so it is not stretched.
    sleep(Duration::from_secs(pace.startup_grace_secs)).await;
    loop {
        let attempt = agent.ask("probe readiness", ATTEMPT_WITHIN * 2, |stream| client::probe(stream, probe.clone()));
        let last = match attempt.await {
            Ok(probed) if probed.ready => return Ok(()),
            Ok(probed) => probed.detail,
            // The machine itself is gone.
            Err(error @ crate::driver::Error::Ended { .. }) => return Err(error.into()),
            Err(error) => error.chain(),
        };
        let ended = match start {
            Some(pid) => ended(agent, pid).await,
            None => None,
        };
        let failed = ended.as_ref().is_some_and(|(exit, _)| exit.code != 0);
        if failed || Instant::now() >= deadline {
            return Err(Error::NotReady(explain(pace, slowdown, &last, ended, failed, agent, start).await));
        }
        sleep(Duration::from_millis(pace.interval_ms.max(50))).await;
    }
}

async fn explain(
    pace: &Pace,
    slowdown: u32,
    last: &str,
    ended: Option<(Exit, String)>,
    failed: bool,
    agent: &Agent,
    start: Option<u32>,
) -> String {
    let waited = (pace.startup_grace_secs + pace.timeout_secs) * u64::from(slowdown);
    let mut text = match &ended {
        Some((exit, _)) if failed => format!("the start command ended at once with exit code {}", exit.code),
        Some((exit, _)) => {
            format!("the start command ended with exit code {} and readiness failed for {waited} s", exit.code)
        }
        None => format!("readiness failed for {waited} s"),
    };
    if !last.is_empty() {
        text.push_str(&format!("; the last probe said: {last}"));
    }
    let output = match (ended, start) {
        (Some((_, output)), _) => output,
        (None, Some(pid)) => output_of(agent, pid).await.map(|(_, output)| output).unwrap_or_default(),
        (None, None) => String::new(),
    };
    if !output.is_empty() {
        text.push_str("; the start command's output ends with:\n");
        text.push_str(&output);
    }
    text
}

/// How the start command ended and the end of its output, if it has ended.
async fn ended(agent: &Agent, pid: u32) -> Option<(Exit, String)> {
    let processes = agent.ask("list processes", ANSWER_WITHIN, client::processes).await.ok()?;
    if processes.iter().any(|process| process.pid == pid && process.running) {
        return None;
    }
    let (exit, output) = output_of(agent, pid).await?;
    Some((exit?, output))
}

async fn output_of(agent: &Agent, pid: u32) -> Option<(Option<Exit>, String)> {
    let read = async {
        let stream = agent.stream(ANSWER_WITHIN).await.ok()?;
        let mut logs = client::logs(stream, pid).await.ok()?;
        let mut output = Vec::new();
        while let Ok(Some(event)) = logs.next().await {
            match event {
                Event::Stdout(bytes) | Event::Stderr(bytes) => output.extend_from_slice(&bytes),
                Event::Exit(_) => break,
            }
            // Only the end is wanted, and only so much may be held.
            let surplus = output.len().saturating_sub(TAIL_MAX);
            output.drain(..surplus);
        }
        Some((logs.exit, tail(&output)))
    };
    timeout(ANSWER_WITHIN, read).await.ok().flatten()
}

/// The end of some output as text.
fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(TAIL_MAX);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}
