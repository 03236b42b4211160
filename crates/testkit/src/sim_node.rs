//! A host without machines, behind the true node API: it starts, fails, hangs and loses what it is told
//! to, at once or late, and keeps what it holds when the control plane is killed.

use async_trait::async_trait;
use nullspace_domain::{ArtifactId, InstanceId, NodeId, Timestamp};
use nullspace_guest::frame::{self, FrameReader};
use nullspace_guest::protocol::{FrameKind, Request, Response};
use nullspace_node::api::{
    ArtifactInfo, BuildError, BuildEvent, BuildJob, BuildOutcome, Cancel, EventKind, FailurePhase, GuestStream,
    ImageError, ImageInfo, ImageProgress, ImageSource, Level, Liveness, MachineError, MachineReport, MachineSpec,
    MachineState, Node, NodeStatus, StartError,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// What a start does.
#[derive(Debug, Clone, Default)]
pub enum Start {
    #[default]
    AtOnce,
    After(Duration),
    /// Never ends by itself.
    Hang,
    /// Fails in these words.
    NotReady(String),
}

/// What a build does.
#[derive(Debug, Clone, Default)]
pub enum Build {
    #[default]
    Succeed,
    /// Says so many lines, then succeeds.
    Say(Vec<String>),
    /// Fails in these words.
    Fail(String),
    /// Until it is cancelled.
    Hang,
}

/// The simulated host. Clones are the same one.
#[derive(Clone)]
pub struct SimNode {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

struct State {
    machines: BTreeMap<InstanceId, Machine>,
    artifacts: BTreeMap<ArtifactId, ArtifactInfo>,
    images: Vec<ImageInfo>,
    start: Start,
    build: Build,
    memory_mb: u64,
    /// Machines that do not answer although they run.
    mute: BTreeSet<InstanceId>,
    /// Every start that was asked for, in order.
    started: Vec<MachineSpec>,
    reports: Option<mpsc::UnboundedSender<MachineReport>>,
}

struct Machine {
    state: MachineState,
}

impl Default for SimNode {
    fn default() -> Self {
        let state = State {
            machines: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            images: Vec::new(),
            start: Start::default(),
            build: Build::default(),
            memory_mb: 1 << 20,
            mute: BTreeSet::new(),
            started: Vec::new(),
            reports: None,
        };
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::new(Notify::new()) }
    }
}

impl SimNode {
    pub fn new() -> Self {
        Self::default()
    }

    /// What starts do from now on.
    pub fn set_start(&self, start: Start) {
        self.with(|state| state.start = start);
        self.changed.notify_waiters();
    }

    /// What builds do from now on.
    pub fn set_build(&self, build: Build) {
        self.with(|state| state.build = build);
    }

    pub fn set_memory_mb(&self, memory_mb: u64) {
        self.with(|state| state.memory_mb = memory_mb);
    }

    /// The machine's process ends; the host says so if `reported`.
    pub fn kill(&self, id: &InstanceId, reported: bool) {
        self.with(|state| {
            if let Some(machine) = state.machines.get_mut(id) {
                machine.state = MachineState::Dead;
            }
            let detail = Some("killed by the test".to_owned());
            let report = MachineReport { id: id.clone(), state: MachineState::Dead, detail };
            if let (true, Some(reports)) = (reported, &state.reports) {
                // Nobody listens between two servers.
                let _ = reports.send(report);
            }
        });
    }

    /// The machine stops answering, and lives on.
    pub fn mute(&self, id: &InstanceId) {
        self.with(|state| state.mute.insert(id.clone()));
    }

    /// Everything on the host as it is now.
    pub fn holds(&self) -> BTreeMap<InstanceId, MachineState> {
        self.with(|state| state.machines.iter().map(|(id, machine)| (id.clone(), machine.state)).collect())
    }

    pub fn started(&self) -> Vec<MachineSpec> {
        self.with(|state| state.started.clone())
    }

    /// A machine that no row knows.
    pub fn plant(&self, id: InstanceId) {
        self.with(|state| state.machines.insert(id, Machine { state: MachineState::Paused }));
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("nothing panics with the lock held"))
    }
}

#[async_trait]
impl Node for SimNode {
    fn id(&self) -> NodeId {
        NodeId::from_body("sim")
    }

    async fn status(&self) -> NodeStatus {
        let memory_mb = self.with(|state| state.memory_mb);
        NodeStatus {
            id: self.id(),
            driver: "simulated".to_owned(),
            accelerator: "none".to_owned(),
            warnings: Vec::new(),
            memory_mb,
            disk_mb: 1 << 30,
            disk_free_mb: 1 << 30,
        }
    }

    async fn start(&self, spec: MachineSpec) -> Result<(), StartError> {
        let id = spec.id.clone();
        self.with(|state| {
            state.machines.entry(id.clone()).or_insert(Machine { state: MachineState::Starting });
            state.started.push(spec);
        });
        loop {
            let changed = self.changed.notified();
            match self.with(|state| state.start.clone()) {
                Start::AtOnce => break,
                Start::After(delay) => {
                    tokio::time::sleep(delay).await;
                    break;
                }
                Start::Hang => tokio::select! {
                    () = changed => {}
                    () = self.gone(&id) => return Err(StartError::Stopped),
                },
                Start::NotReady(why) => {
                    self.with(|state| state.machines.remove(&id));
                    return Err(StartError::NotReady(why));
                }
            }
        }
        self.with(|state| match state.machines.get_mut(&id) {
            Some(machine) => {
                machine.state = MachineState::Paused;
                Ok(())
            }
            None => Err(StartError::Stopped),
        })
    }

    async fn resume(&self, id: &InstanceId) -> Result<(), MachineError> {
        self.with(|state| match state.machines.get_mut(id) {
            Some(machine) if machine.state != MachineState::Dead => {
                machine.state = MachineState::Running;
                Ok(())
            }
            _ => Err(MachineError::NotFound(id.clone())),
        })
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), MachineError> {
        self.with(|state| state.machines.remove(id));
        self.changed.notify_waiters();
        Ok(())
    }

    fn liveness(&self, id: &InstanceId) -> Liveness {
        let alive = self.with(|state| state.machines.get(id).is_some_and(|found| found.state != MachineState::Dead));
        if alive { Liveness::Alive } else { Liveness::Dead }
    }

    async fn machines(&self) -> Vec<MachineReport> {
        let holds = self.holds().into_iter();
        holds.map(|(id, state)| MachineReport { id, state, detail: None }).collect()
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<MachineReport> {
        let (reports, reader) = mpsc::unbounded_channel();
        self.with(|state| state.reports = Some(reports));
        reader
    }

    async fn guest(&self, id: &InstanceId) -> Result<Box<dyn GuestStream>, MachineError> {
        let runs = self.with(|state| {
            let runs = state.machines.get(id).is_some_and(|found| found.state == MachineState::Running);
            runs.then(|| state.mute.contains(id))
        });
        let is_mute = runs.ok_or_else(|| MachineError::NotFound(id.clone()))?;
        let (host, guest) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            if is_mute {
                std::future::pending::<()>().await;
            }
            // A test that asks for more than a ping sees the stream end.
            let _ = answer_ping(guest).await;
        });
        Ok(Box::new(host))
    }

    async fn build(
        &self,
        job: BuildJob,
        events: mpsc::Sender<BuildEvent>,
        cancel: Cancel,
    ) -> Result<BuildOutcome, BuildError> {
        match self.with(|state| state.build.clone()) {
            Build::Succeed => {}
            Build::Say(lines) => {
                for line in lines {
                    // Nobody may be listening any more.
                    let _ = events.send(said(line)).await;
                }
            }
            Build::Hang => {
                cancel.cancelled().await;
                return Err(BuildError::Cancelled);
            }
            Build::Fail(message) => {
                return Err(BuildError::Failed {
                    phase: FailurePhase::BuildStep,
                    message,
                    step_index: Some(1),
                    retryable: false,
                    suggested_action: "change the step".to_owned(),
                });
            }
        }
        let digest = hex::encode(Sha256::digest(job.id.as_str()));
        let artifact = ArtifactInfo {
            id: ArtifactId::from_body(&digest[..32]),
            runtime: job.runtime,
            disk_bytes: 1,
            base_digest: None,
        };
        self.with(|state| state.artifacts.insert(artifact.id.clone(), artifact.clone()));
        Ok(BuildOutcome { artifact })
    }

    async fn artifact(&self, id: &ArtifactId) -> Option<ArtifactInfo> {
        self.with(|state| state.artifacts.get(id).cloned())
    }

    async fn sweep_artifacts(&self, keep: &[ArtifactId]) -> Result<(), ImageError> {
        self.with(|state| state.artifacts.retain(|id, _| keep.contains(id)));
        Ok(())
    }

    async fn images(&self) -> Vec<ImageInfo> {
        self.with(|state| state.images.clone())
    }

    async fn add_image(
        &self,
        name: &str,
        source: ImageSource,
        _progress: mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, ImageError> {
        let source = match source {
            ImageSource::Registry { .. } => "registry",
            ImageSource::Archive(_) => "import",
            ImageSource::Bootstrap(_) => "bootstrap",
        };
        let image = ImageInfo {
            name: name.to_owned(),
            digest: format!("sha256:{}", hex::encode(Sha256::digest(name))),
            size_bytes: 1,
            created_at: Timestamp::UNIX_EPOCH,
            source: source.to_owned(),
        };
        self.with(|state| {
            state.images.retain(|image| image.name != name);
            state.images.push(image.clone());
        });
        Ok(image)
    }

    async fn remove_image(&self, name: &str) -> Result<(), ImageError> {
        let removed = self.with(|state| {
            let before = state.images.len();
            state.images.retain(|image| image.name != name);
            state.images.len() < before
        });
        if removed { Ok(()) } else { Err(ImageError::NotFound(name.to_owned())) }
    }
}

impl SimNode {
    async fn gone(&self, id: &InstanceId) {
        loop {
            let changed = self.changed.notified();
            if self.with(|state| !state.machines.contains_key(id)) {
                return;
            }
            changed.await;
        }
    }
}

fn said(message: String) -> BuildEvent {
    BuildEvent {
        kind: EventKind::Message,
        level: Level::Info,
        message,
        phase: "step",
        step_index: Some(1),
        total_steps: Some(1),
        cache: None,
    }
}

async fn answer_ping(stream: tokio::io::DuplexStream) -> Result<(), frame::Error> {
    let mut reader = FrameReader::new(stream);
    while let Some(asked) = reader.next().await? {
        if let Ok(Request::Ping) = serde_json::from_slice(&asked.payload) {
            let pong = Response::Pong { agent_version: "simulated".to_owned(), uptime_ms: 1 };
            let pong = serde_json::to_vec(&pong).expect("a response holds nothing that JSON cannot");
            frame::write(reader.get_mut(), FrameKind::Control, &pong).await?;
        }
    }
    Ok(())
}
