//! What the control plane may ask of a host. The embedded node, a remote one and the simulated one
//! answer the same calls.
//!
//! Every call names what it is about by an id that the control plane made, and is safe to repeat.

use async_trait::async_trait;
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_domain::{ArtifactId, BuildId, InstanceId, NodeId, Resources, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// A host.
#[async_trait]
pub trait Node: Send + Sync + 'static {
    fn id(&self) -> NodeId;

    /// What this host is and has room for.
    async fn status(&self) -> NodeStatus;

    /// Makes a machine and returns when it is unique, has answered, and is paused. Makes the warm
    /// profile first where it is missing. Starting an instance that exists waits for it.
    async fn start(&self, spec: MachineSpec) -> Result<(), StartError>;

    /// Lets a ready machine run, with the present time. About a millisecond; callers need not wait.
    async fn resume(&self, id: &InstanceId) -> Result<(), MachineError>;

    /// Ends a machine and everything it owns. Ending one that is not there is fine. Ends within 5 s.
    async fn stop(&self, id: &InstanceId) -> Result<(), MachineError>;

    /// Whether the machine's process and monitor are there, seen from the host without asking the
    /// guest. Cheap: called inside a checkout.
    fn liveness(&self, id: &InstanceId) -> Liveness;

    /// Every machine this host holds, also those it found again after a restart.
    async fn machines(&self) -> Vec<MachineReport>;

    /// Machines that ended by themselves, as it happens. One reader.
    fn watch(&self) -> mpsc::UnboundedReceiver<MachineReport>;

    /// One stream of the guest protocol (`nullspace_guest::protocol`).
    async fn guest(&self, id: &InstanceId) -> Result<Box<dyn GuestStream>, MachineError>;

    /// Runs a build to its end. Progress goes to `events`; `cancel` ends it within 10 s.
    async fn build(
        &self,
        job: BuildJob,
        events: mpsc::Sender<BuildEvent>,
        cancel: Cancel,
    ) -> Result<BuildOutcome, BuildError>;

    /// What an artifact is, read back and verified; `None` when it is not here.
    async fn artifact(&self, id: &ArtifactId) -> Option<ArtifactInfo>;

    /// Removes artifacts not in `keep`, with profiles made of them.
    async fn sweep_artifacts(&self, keep: &[ArtifactId]) -> Result<(), ImageError>;

    async fn images(&self) -> Vec<ImageInfo>;
    /// Makes an image available under `name`.
    async fn add_image(
        &self,
        name: &str,
        source: ImageSource,
        progress: mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, ImageError>;
    async fn remove_image(&self, name: &str) -> Result<(), ImageError>;
}

/// Either end of a guest stream.
pub trait GuestStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> GuestStream for T {}

/// Set once to ask a long operation to stop.
pub type Cancel = tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub id: NodeId,
    /// `microvm` or `container`.
    pub driver: String,
    /// `kvm` or `emulation`; for containers the runtime's name.
    pub accelerator: String,
    /// Said in plain words where machines are slower or less isolated than they could be.
    pub warnings: Vec<String>,
    pub memory_mb: u64,
    pub disk_mb: u64,
    pub disk_free_mb: u64,
}

/// Everything a machine is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSpec {
    pub id: InstanceId,
    pub artifact: ArtifactId,
    pub resources: Resources,
    pub internet_access: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    Alive,
    Dead,
}

/// One machine as its host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    pub id: InstanceId,
    pub state: MachineState,
    /// Why, when it is not running as it should.
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Journalled, not ready.
    Starting,
    /// Ready and paused.
    Paused,
    Running,
    /// Its process is gone.
    Dead,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("artifact `{0}` is not on this host or is damaged")]
    ArtifactUnavailable(ArtifactId),
    /// The start command or readiness failed while the warm profile was made.
    #[error("the template did not become ready: {0}")]
    NotReady(String),
    #[error("not enough {what} on the host: {detail}")]
    NoRoom { what: &'static str, detail: String },
    #[error("cannot start the machine: {0}")]
    Failed(String),
    #[error("stopped while it was starting")]
    Stopped,
}

#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error("instance `{0}` is not on this host")]
    NotFound(InstanceId),
    #[error("instance `{id}` does not answer: {detail}")]
    Unresponsive { id: InstanceId, detail: String },
    #[error("instance `{id}` failed: {detail}")]
    Failed { id: InstanceId, detail: String },
}

// ---- builds -------------------------------------------------------------------------------------

/// Everything a native build needs; parsed and validated by the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildJob {
    pub id: BuildId,
    pub base: BuildBase,
    pub steps: Vec<nullspace_domain::build::Step>,
    pub build_envs: BTreeMap<String, String>,
    pub runtime: RuntimeConfig,
    /// The size the build runs at and of the first warm profile.
    pub resources: Resources,
    pub internet_access: bool,
    pub skip_cache: bool,
    /// Context files, by the path that steps name.
    pub context: BTreeMap<String, ContextFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildBase {
    Image {
        reference: String,
        #[serde(skip)]
        auth: Option<RegistryAuth>,
    },
    /// Another template's artifact.
    Artifact { id: ArtifactId },
}

/// How to log in to a registry. Never written anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAuth {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistryAuth(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextFile {
    pub is_dir: bool,
    /// Permission bits.
    pub mode: u32,
    /// Where the bytes are on this host, and what they must hash to; none for directories.
    pub source: Option<PathBuf>,
    pub sha256: Option<String>,
}

/// Something a build has to say. The control plane numbers and stores them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildEvent {
    pub kind: EventKind,
    pub level: Level,
    pub message: String,
    /// One of the published phases: `preparing`, `vm_create`, `step`, `sync`, `startup`, `readiness`, `snapshot`, `finalize` …
    pub phase: &'static str,
    /// 1-based.
    pub step_index: Option<u32>,
    pub total_steps: Option<u32>,
    pub cache: Option<CacheEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Message,
    Cache,
    Warning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Debug,
    Info,
    Warn,
}

/// Names are those of spec api §5 (cache kind, status, reason).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEvent {
    pub kind: &'static str,
    pub status: &'static str,
    pub reason: Option<&'static str>,
    pub subject: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildOutcome {
    pub artifact: ArtifactInfo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactInfo {
    pub id: ArtifactId,
    pub runtime: RuntimeConfig,
    /// Bytes it occupies.
    pub disk_bytes: u64,
    /// The base image's digest, if it came from one.
    pub base_digest: Option<String>,
}

/// Where a build failed: the strict list of spec api §5 (template failure phase).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailurePhase {
    Auth,
    Preflight,
    BlobUpload,
    Prepare,
    BuildStep,
    Readiness,
    Snapshot,
    Finalize,
    Interrupted,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("{message}")]
    Failed { phase: FailurePhase, message: String, step_index: Option<u32>, retryable: bool, suggested_action: String },
    #[error("cancelled")]
    Cancelled,
}

// ---- images -------------------------------------------------------------------------------------

/// An image in the local store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// As it was given.
    pub name: String,
    /// Of its manifest.
    pub digest: String,
    pub size_bytes: u64,
    pub created_at: Timestamp,
    /// `registry`, `import` or `bootstrap`.
    pub source: String,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    Registry {
        auth: Option<RegistryAuth>,
    },
    /// An OCI layout (directory or tar) or a `docker save` archive on this host.
    Archive(PathBuf),
    /// Made from the distribution's packages: `busybox`, `debian:bookworm`, `python:3.11`.
    Bootstrap(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageProgress {
    pub message: String,
    pub done_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error(
        "no image `{0}` is here and the registry has none (hint: `nullspace image import {0} PATH` takes one from a file, \
         `nullspace image bootstrap` makes busybox, debian:bookworm or python:3.11)"
    )]
    NotFound(String),
    #[error("the registry refused the credentials for `{0}`, or wants some")]
    Unauthorized(String),
    #[error("`{name}` is not an image: {detail}")]
    Invalid { name: String, detail: String },
    #[error("cannot {doing}: {detail}")]
    Failed { doing: String, detail: String },
}
