//! Every machine of this host that the control plane asked for: started, resumed, watched, ended, and
//! found again after a restart.
//!
//! ```text
//! start ─▶ Starting ─▶ Paused ─▶ Running ─▶ (process gone) Dead
//!              │          │          │                      │
//!              └──────────┴── stop ──┴──────────────────────┴─▶ nothing is left
//! ```
//!
//! Machines outlive the server: dropping this leaves them as they are.

use crate::agent::Agent;
use crate::api::{Liveness, MachineError, MachineReport, MachineSpec, MachineState, StartError};
use crate::doomed::{self, Doomed};
use crate::driver::{Driver, Error, Network};
use crate::journal::{Home, Journal, Phase};
use crate::profiles::{self, Artifact, Held, Profiles, Progress, Size};
use nullspace_domain::InstanceId;
use nullspace_guest::client;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// From a restored VMM to a confirmed renewal, at native speed: 50 ms when the host is idle.
const RENEW_WITHIN: Duration = Duration::from_secs(15);
/// A sandbox that does not take the present time so long after its resume is not usable.
const CLOCK_WITHIN: Duration = Duration::from_secs(2);
/// Growing a file system writes group descriptors only.
const GROW_WITHIN: Duration = Duration::from_secs(60);
/// A stream to a running guest.
const STREAM_WITHIN: Duration = Duration::from_secs(10);
/// `stop` ends within 5 s whatever happens.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The registry of machines. Clones share it.
#[derive(Clone)]
pub struct Machines {
    inner: Arc<Inner>,
}

struct Inner {
    driver: Arc<dyn Driver>,
    journal: Journal,
    profiles: Arc<Profiles>,
    machines: Mutex<BTreeMap<InstanceId, Slot>>,
    ended: Mutex<mpsc::UnboundedSender<MachineReport>>,
    reader: Mutex<Option<mpsc::UnboundedReceiver<MachineReport>>>,
    /// Ends the watchers with the registry: each holds its machine's monitor, which serves one at a time.
    _watchers: DropGuard,
    watchers: CancellationToken,
}

enum Slot {
    Starting { outcome: watch::Receiver<Option<Result<(), StartFailure>>>, cancel: CancellationToken },
    There(Arc<Member>),
}

/// A machine that was made.
struct Member {
    home: Home,
    agent: Agent,
    state: Mutex<MachineState>,
    _profile: Held,
}

/// A `StartError` that several callers can be told.
#[derive(Debug, Clone)]
enum StartFailure {
    NotReady(String),
    Failed(String),
    Stopped,
}

impl From<StartFailure> for StartError {
    fn from(failure: StartFailure) -> Self {
        match failure {
            StartFailure::NotReady(text) => Self::NotReady(text),
            StartFailure::Failed(text) => Self::Failed(text),
            StartFailure::Stopped => Self::Stopped,
        }
    }
}

impl From<Error> for StartFailure {
    fn from(error: Error) -> Self {
        Self::Failed(error.chain())
    }
}

impl From<profiles::Error> for StartFailure {
    fn from(error: profiles::Error) -> Self {
        match error {
            profiles::Error::NotReady(text) => Self::NotReady(text),
            profiles::Error::Failed(text) => Self::Failed(text),
        }
    }
}

impl Machines {
    /// Opens the registry: machines of an earlier server are found again, half-made ones are ended,
    /// remains are removed.
    pub async fn open(driver: Arc<dyn Driver>, journal: Journal, profiles: Arc<Profiles>) -> Result<Self, Error> {
        let (ended, reader) = mpsc::unbounded_channel();
        let watchers = CancellationToken::new();
        let inner = Inner {
            driver,
            journal,
            profiles,
            machines: Mutex::default(),
            ended: Mutex::new(ended),
            reader: Mutex::new(Some(reader)),
            _watchers: watchers.clone().drop_guard(),
            watchers,
        };
        let machines = Self { inner: Arc::new(inner) };
        let found = machines.inner.journal.homes()?;
        futures::future::join_all(found.into_iter().map(|home| machines.recover(home))).await;
        Ok(machines)
    }

    /// Makes a machine and returns when it is unique, has answered, and is paused. Starting one that
    /// exists waits for it. Making it goes on when the caller stops waiting; `stop` ends it.
    pub async fn start(&self, spec: MachineSpec, artifact: Artifact) -> Result<(), StartError> {
        let mut outcome = {
            let mut machines = self.slots();
            match machines.get(&spec.id) {
                Some(Slot::There(_)) => return Ok(()),
                Some(Slot::Starting { outcome, .. }) => outcome.clone(),
                None => {
                    let (told, outcome) = watch::channel(None);
                    let cancel = CancellationToken::new();
                    let slot = Slot::Starting { outcome: outcome.clone(), cancel: cancel.clone() };
                    machines.insert(spec.id.clone(), slot);
                    tokio::spawn(self.clone().make(spec, artifact, cancel, told));
                    outcome
                }
            }
        };
        let told = outcome.wait_for(Option::is_some).await;
        match told.as_deref() {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(failure))) => Err(failure.clone().into()),
            Ok(None) | Err(_) => Err(StartError::Stopped),
        }
    }

    /// Lets a ready machine run, with the present time.
    pub async fn resume(&self, id: &InstanceId) -> Result<(), MachineError> {
        let member = self.member(id)?;
        let failed = |error: Error| MachineError::Failed { id: id.clone(), detail: error.chain() };
        member.agent.machine().resume().await.map_err(failed)?;
        member.set_state(MachineState::Running);
        let now = profiles::unix_nanos();
        let within = CLOCK_WITHIN * self.inner.driver.slowdown();
        let set = member.agent.ask("set the clock", within, |stream| client::set_time(stream, now)).await;
        set.map_err(|error| MachineError::Unresponsive { id: id.clone(), detail: error.chain() })
    }

    /// Ends a machine and everything it owns, whatever the guest does. Ending one that is not there is
    /// fine.
    pub async fn stop(&self, id: &InstanceId) -> Result<(), MachineError> {
        let failed = |detail: String| MachineError::Failed { id: id.clone(), detail };
        let present = match self.slots().get(id) {
            None => return Ok(()),
            Some(Slot::There(member)) => Err(member.clone()),
            Some(Slot::Starting { outcome, cancel }) => Ok((outcome.clone(), cancel.clone())),
        };
        let (mut outcome, cancel) = match present {
            Ok(starting) => starting,
            Err(member) => {
                member.end().await.map_err(|error| failed(error.chain()))?;
                self.slots().remove(id);
                return Ok(());
            }
        };
        cancel.cancel();
        let told = async { matches!(outcome.wait_for(Option::is_some).await.as_deref(), Ok(Some(Ok(())))) };
        match tokio::time::timeout(STOP_WITHIN, told).await {
            Err(_) => Err(failed("it is still being made".into())),
            // It became ready at the same moment.
            Ok(true) => Box::pin(self.stop(id)).await,
            Ok(false) => Ok(()),
        }
    }

    /// Whether the machine's process and monitor are there, without asking the guest.
    pub fn liveness(&self, id: &InstanceId) -> Liveness {
        match self.slots().get(id) {
            Some(Slot::There(member)) => member.agent.machine().liveness(),
            Some(Slot::Starting { .. }) | None => Liveness::Dead,
        }
    }

    /// Every machine, also those that were found again.
    pub fn reports(&self) -> Vec<MachineReport> {
        let report = |(id, slot): (&InstanceId, &Slot)| match slot {
            Slot::Starting { .. } => MachineReport { id: id.clone(), state: MachineState::Starting, detail: None },
            Slot::There(member) => {
                let state = match member.agent.machine().liveness() {
                    Liveness::Alive => *member.state(),
                    Liveness::Dead => MachineState::Dead,
                };
                let detail = (state == MachineState::Dead).then(|| "its process ended".to_owned());
                MachineReport { id: id.clone(), state, detail }
            }
        };
        self.slots().iter().map(report).collect()
    }

    /// Machines that ended by themselves, as it happens. One reader: a second one takes over.
    pub fn watch(&self) -> mpsc::UnboundedReceiver<MachineReport> {
        let first = self.inner.reader.lock().expect("nothing panics while holding the reader").take();
        first.unwrap_or_else(|| {
            let (ended, reader) = mpsc::unbounded_channel();
            *self.inner.ended.lock().expect("nothing panics while holding the sender") = ended;
            reader
        })
    }

    /// One stream of the guest protocol.
    pub async fn guest(&self, id: &InstanceId) -> Result<nullspace_guest::link::Stream, MachineError> {
        let member = self.member(id)?;
        let within = STREAM_WITHIN * self.inner.driver.slowdown();
        let stream = member.agent.stream(within).await;
        stream.map_err(|error| MachineError::Unresponsive { id: id.clone(), detail: error.chain() })
    }

    async fn make(
        self,
        spec: MachineSpec,
        artifact: Artifact,
        cancel: CancellationToken,
        told: watch::Sender<Option<Result<(), StartFailure>>>,
    ) {
        let made = tokio::select! {
            made = self.make_member(&spec, &artifact) => made,
            () = cancel.cancelled() => Err(StartFailure::Stopped),
        };
        let outcome = match made {
            Ok(member) => {
                let member = Arc::new(member);
                self.slots().insert(spec.id.clone(), Slot::There(member.clone()));
                self.watch_member(spec.id.clone(), member);
                Ok(())
            }
            Err(failure) => {
                self.slots().remove(&spec.id);
                Err(failure)
            }
        };
        told.send_replace(Some(outcome));
    }

    async fn make_member(&self, spec: &MachineSpec, artifact: &Artifact) -> Result<Member, StartFailure> {
        let size = Size { vcpus: spec.resources.vcpus, memory_mb: spec.resources.memory_mb };
        let (profile, held) = self.inner.profiles.ensure(artifact, size, Progress::silent()).await?;
        let home = self.inner.journal.create(spec.id.as_str(), Some(spec.clone()), Some(profile.key.clone()))?;
        let doomed = Doomed::new(home);
        let network = Network::from_internet_access(spec.internet_access);
        let machine = self.inner.driver.restore(doomed.home(), profile.restore(artifact, network)).await?;
        let agent = Agent::new(machine.clone());
        let slowdown = self.inner.driver.slowdown();
        if spec.resources.disk_mb > profile.disk_mb() {
            machine.grow_disk(spec.resources.disk_mb).await?;
            agent.ask("grow the disk", GROW_WITHIN * slowdown, client::grow_root).await?;
        }
        profiles::renew(&agent, spec.id.as_str(), RENEW_WITHIN * slowdown).await?;
        machine.pause().await?;
        let mut home = doomed.home().clone();
        home.mark_ready()?;
        doomed.spare();
        Ok(Member { home, agent, state: Mutex::new(MachineState::Paused), _profile: held })
    }

    /// Takes up one home that an earlier server left.
    async fn recover(&self, home: Home) {
        let name = home.entry().name.clone();
        let kept = match (home.entry().phase, home.entry().spec.clone(), home.entry().profile.clone()) {
            (Phase::Ready, Some(spec), Some(profile)) => match self.inner.driver.recover(&home).await {
                Ok(Some(machine)) => match machine.is_paused().await {
                    Ok(paused) => Some((spec, profile, machine, paused)),
                    Err(error) => {
                        tracing::warn!(machine = name, "a machine does not answer its monitor: {}", error.chain());
                        None
                    }
                },
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(machine = name, "cannot take up a machine: {}", error.chain());
                    None
                }
            },
            _ => None,
        };
        match kept {
            Some((spec, profile, machine, paused)) => {
                let state = if paused { MachineState::Paused } else { MachineState::Running };
                let member = Arc::new(Member {
                    home,
                    agent: Agent::new(machine),
                    state: Mutex::new(state),
                    _profile: self.inner.profiles.hold(&profile),
                });
                self.slots().insert(spec.id.clone(), Slot::There(member.clone()));
                self.watch_member(spec.id, member);
            }
            None => {
                let ended = tokio::task::spawn_blocking(move || doomed::end(&home)).await;
                if let Err(error) = ended.expect("ending a machine does not panic") {
                    tracing::warn!(machine = name, "cannot remove a machine's remains: {}", error.chain());
                }
            }
        }
    }

    /// Reports a machine that ends by itself. Its remains stay until `stop`, which is what the control
    /// plane answers with.
    fn watch_member(&self, id: InstanceId, member: Arc<Member>) {
        let machines = Arc::downgrade(&self.inner);
        let machine = member.agent.machine().clone();
        let watchers = self.inner.watchers.clone();
        drop(member);
        tokio::spawn(async move {
            tokio::select! {
                () = machine.ended() => {}
                () = watchers.cancelled() => return,
            }
            let Some(inner) = machines.upgrade() else { return };
            let machines = Self { inner };
            let ours = match machines.slots().get(&id) {
                Some(Slot::There(member)) => {
                    let ours = Arc::ptr_eq(member.agent.machine(), &machine);
                    ours && !std::mem::replace(&mut *member.state(), MachineState::Dead).eq(&MachineState::Dead)
                }
                _ => false,
            };
            if ours {
                let report =
                    MachineReport { id, state: MachineState::Dead, detail: Some("its process ended".to_owned()) };
                let ended = machines.inner.ended.lock().expect("nothing panics while holding the sender");
                // Nobody may be listening.
                let _ = ended.send(report);
            }
        });
    }

    fn member(&self, id: &InstanceId) -> Result<Arc<Member>, MachineError> {
        match self.slots().get(id) {
            Some(Slot::There(member)) => Ok(member.clone()),
            Some(Slot::Starting { .. }) | None => Err(MachineError::NotFound(id.clone())),
        }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Slot>> {
        self.inner.machines.lock().expect("nothing panics while holding the machines")
    }
}

impl Member {
    fn state(&self) -> MutexGuard<'_, MachineState> {
        self.state.lock().expect("nothing panics while holding a state")
    }

    fn set_state(&self, state: MachineState) {
        *self.state() = state;
    }

    /// Ends it. Marked first, so that its end is not reported as its own doing.
    async fn end(&self) -> Result<(), Error> {
        self.set_state(MachineState::Dead);
        self.agent.machine().kill_now();
        let home = self.home.clone();
        tokio::task::spawn_blocking(move || doomed::end(&home)).await.expect("ending a machine does not panic")
    }
}
