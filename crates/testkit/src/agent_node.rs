//! A host whose machines are this host: every instance is reached through the real link by the real
//! agent, which runs as a thread of the test. Nothing is isolated; nothing has to boot.
//!
//! One agent for all hosts of a process, because it collects every child of the process.

use async_trait::async_trait;
use nullspace_domain::{ArtifactId, InstanceId, NodeId, Timestamp};
use nullspace_guest::agent::{Agent, Place};
use nullspace_guest::link::{Link, NONCE};
use nullspace_node::api::*;
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::Instant;

/// Bytes between host and agent that wait for a reader.
const PIPE: usize = 64 * 1024;

/// See the module.
pub struct AgentNode {
    id: NodeId,
    to_agent: mpsc::UnboundedSender<DuplexStream>,
    link: OnceCell<Link>,
    machines: Mutex<BTreeMap<InstanceId, MachineState>>,
    artifacts: Mutex<BTreeMap<ArtifactId, ArtifactInfo>>,
    images: Mutex<Vec<ImageInfo>>,
}

/// The process's one agent, on a thread of its own that is never stopped.
fn agent() -> mpsc::UnboundedSender<DuplexStream> {
    static AGENT: OnceLock<mpsc::UnboundedSender<DuplexStream>> = OnceLock::new();
    AGENT
        .get_or_init(|| {
            let (to_agent, mut pipes) = mpsc::unbounded_channel::<DuplexStream>();
            let state_dir = std::env::temp_dir().join(format!("nullspace-agent-{}", std::process::id()));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async move {
                    let agent = Agent::new(Place::Shared, state_dir).expect("an agent");
                    while let Some(pipe) = pipes.recv().await {
                        let agent = agent.clone();
                        tokio::spawn(async move { agent.serve(pipe).await });
                    }
                });
            });
            to_agent
        })
        .clone()
}

impl Default for AgentNode {
    fn default() -> Self {
        Self {
            id: NodeId::from_body("agent"),
            to_agent: agent(),
            link: OnceCell::new(),
            machines: Mutex::default(),
            artifacts: Mutex::default(),
            images: Mutex::default(),
        }
    }
}

impl AgentNode {
    async fn link(&self) -> Result<&Link, String> {
        self.link
            .get_or_try_init(|| async {
                let (host, guest) = tokio::io::duplex(PIPE);
                self.to_agent.send(guest).map_err(|_| "the agent's thread has ended".to_owned())?;
                let deadline = Instant::now() + Duration::from_secs(10);
                Link::connect(host, [7; NONCE], deadline).await.map_err(|error| error.to_string())
            })
            .await
    }

    fn machine(&self, id: &InstanceId) -> Result<(), MachineError> {
        match self.machines.lock().expect("machines").contains_key(id) {
            true => Ok(()),
            false => Err(MachineError::NotFound(id.clone())),
        }
    }
}

#[async_trait]
impl Node for AgentNode {
    fn id(&self) -> NodeId {
        self.id.clone()
    }

    async fn status(&self) -> NodeStatus {
        NodeStatus {
            id: self.id.clone(),
            driver: "microvm".into(),
            accelerator: "emulation".into(),
            warnings: vec!["machines of this host are not isolated: it is for tests".into()],
            memory_mb: 1024 * 1024,
            disk_mb: 1024 * 1024,
            disk_free_mb: 1024 * 1024,
        }
    }

    async fn start(&self, spec: MachineSpec) -> Result<(), StartError> {
        self.machines.lock().expect("machines").insert(spec.id, MachineState::Paused);
        Ok(())
    }

    async fn resume(&self, id: &InstanceId) -> Result<(), MachineError> {
        self.machine(id)?;
        self.machines.lock().expect("machines").insert(id.clone(), MachineState::Running);
        Ok(())
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), MachineError> {
        self.machines.lock().expect("machines").remove(id);
        Ok(())
    }

    fn liveness(&self, id: &InstanceId) -> Liveness {
        if self.machine(id).is_ok() { Liveness::Alive } else { Liveness::Dead }
    }

    async fn machines(&self) -> Vec<MachineReport> {
        let machines = self.machines.lock().expect("machines");
        machines.iter().map(|(id, state)| MachineReport { id: id.clone(), state: *state, detail: None }).collect()
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<MachineReport> {
        // No machine here ends by itself.
        mpsc::unbounded_channel().1
    }

    async fn guest(&self, id: &InstanceId) -> Result<Box<dyn GuestStream>, MachineError> {
        self.machine(id)?;
        let unresponsive = |detail: String| MachineError::Unresponsive { id: id.clone(), detail };
        let link = self.link().await.map_err(unresponsive)?;
        let stream = link.open().await.map_err(|error| unresponsive(error.to_string()))?;
        Ok(Box::new(stream))
    }

    async fn build(
        &self,
        job: BuildJob,
        events: mpsc::Sender<BuildEvent>,
        _cancel: Cancel,
    ) -> Result<BuildOutcome, BuildError> {
        let event = BuildEvent {
            kind: EventKind::Message,
            level: Level::Info,
            message: "a line that cuts\u{2028}lines".into(),
            phase: "preparing",
            step_index: None,
            total_steps: None,
            cache: None,
        };
        let _ = events.send(event).await;
        let artifact = ArtifactInfo {
            id: ArtifactId::from_body(&job.id.as_str().replace("tb_", "of_")),
            runtime: job.runtime,
            disk_bytes: 0,
            base_digest: None,
        };
        self.artifacts.lock().expect("artifacts").insert(artifact.id.clone(), artifact.clone());
        Ok(BuildOutcome { artifact })
    }

    async fn artifact(&self, id: &ArtifactId) -> Option<ArtifactInfo> {
        self.artifacts.lock().expect("artifacts").get(id).cloned()
    }

    async fn sweep_artifacts(&self, _keep: &[ArtifactId]) -> Result<(), ImageError> {
        Ok(())
    }

    async fn images(&self) -> Vec<ImageInfo> {
        self.images.lock().expect("images").clone()
    }

    async fn add_image(
        &self,
        name: &str,
        _source: ImageSource,
        progress: mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, ImageError> {
        let step = ImageProgress { message: "writing".into(), done_bytes: Some(1), total_bytes: Some(2) };
        let _ = progress.send(step).await;
        let image = ImageInfo {
            name: name.into(),
            digest: format!("sha256:{}", "0".repeat(64)),
            size_bytes: 1,
            created_at: Timestamp::UNIX_EPOCH,
            source: "bootstrap".into(),
        };
        self.images.lock().expect("images").push(image.clone());
        Ok(image)
    }

    async fn remove_image(&self, name: &str) -> Result<(), ImageError> {
        let mut images = self.images.lock().expect("images");
        let before = images.len();
        images.retain(|image| image.name != name);
        if images.len() < before { Ok(()) } else { Err(ImageError::NotFound(name.into())) }
    }
}
