//! A real host in a directory of its own: QEMU, the guest kernel and agent, a busybox image.
#![allow(dead_code, reason = "each test file uses its part of this")]

use nullspace_domain::readiness::{Pace, Readiness};
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_domain::{BuildId, Ids, InstanceId, Resources};
use nullspace_node::api::{
    BuildBase, BuildError, BuildEvent, BuildJob, BuildOutcome, Cancel, ContextFile, ImageSource, MachineSpec, Node,
};
use nullspace_node::local::{LocalNode, Settings};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// A host that leaves nothing behind.
pub struct Host {
    pub node: LocalNode,
    pub directory: tempfile::TempDir,
}

/// Opens a host with a busybox image, or says why this machine cannot have one.
pub async fn host() -> Option<Host> {
    let directory = tempfile::tempdir().unwrap();
    let node = with_busybox(directory.path()).await?;
    Some(Host { node, directory })
}

pub async fn with_busybox(directory: &Path) -> Option<LocalNode> {
    let node = open(directory).await?;
    let (progress, _reader) = mpsc::channel(1);
    node.add_image("busybox", ImageSource::Bootstrap("busybox".to_owned()), progress).await.unwrap();
    Some(node)
}

pub async fn open(directory: &Path) -> Option<LocalNode> {
    match LocalNode::open(Settings::in_directory(directory.join("data"))).await {
        Ok(node) => Some(node),
        Err(error) => {
            let error = anyhow::Error::from(error);
            assert!(std::env::var_os("NULLSPACE_GUEST_AGENT").is_none(), "{error:#}");
            eprintln!("skipped: {error:#}");
            None
        }
    }
}

pub fn job(steps: serde_json::Value) -> BuildJob {
    BuildJob {
        id: BuildId::from_body(&ids().body()),
        base: BuildBase::Image { reference: "busybox".to_owned(), auth: None },
        steps: serde_json::from_value(steps).unwrap(),
        build_envs: BTreeMap::new(),
        runtime: RuntimeConfig::default(),
        resources: Resources { vcpus: 1, memory_mb: 128, disk_mb: 512 },
        internet_access: false,
        skip_cache: false,
        context: BTreeMap::new(),
    }
}

fn ids() -> Ids {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).unwrap();
    Ids::from_seed(u128::from_le_bytes(seed))
}

/// A server on port 8080 that serves `/workspace`.
pub fn web_server() -> RuntimeConfig {
    RuntimeConfig {
        start_cmd: Some("httpd -f -p 8080 -h /workspace".to_owned()),
        readiness: Some(Readiness::Tcp {
            port: 8080,
            pace: Pace { timeout_secs: 10, interval_ms: 100, startup_grace_secs: 0 },
        }),
        ..RuntimeConfig::default()
    }
}

impl Host {
    /// Puts a file where uploaded content lies, and describes it as a context file.
    pub fn upload(&self, content: &[u8], mode: u32) -> ContextFile {
        let sha256 = hex::encode(Sha256::digest(content));
        let source: PathBuf = self.directory.path().join(&sha256);
        std::fs::write(&source, content).unwrap();
        ContextFile { is_dir: false, mode, source: Some(source), sha256: Some(sha256) }
    }

    pub async fn build(&self, job: BuildJob) -> (Result<BuildOutcome, BuildError>, Vec<BuildEvent>) {
        build(&self.node, job, Cancel::new()).await
    }

    /// What is in a directory of the host's data, by name.
    pub fn names(&self, below: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.directory.path().join("data").join(below)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// No machine, no unfinished layer, no scratch file, no half-made profile.
    pub fn assert_only_caches_are_left(&self) {
        assert_eq!(self.names("machines"), Vec::<String>::new());
        assert_eq!(self.names("builds/scratch"), Vec::<String>::new());
        let profiles = self.names("profiles");
        assert!(!profiles.iter().any(|name| name.ends_with(".making")), "{profiles:?}");
        let layers = self.names("builds/layers");
        for layer in layers.iter().filter_map(|name| name.strip_suffix(".qcow2")) {
            assert!(layers.contains(&format!("{layer}.json")), "{layers:?}");
        }
    }

    pub async fn end(self) {
        self.node.end_everything().await;
        self.assert_only_caches_are_left();
    }
}

pub async fn build(
    node: &LocalNode,
    job: BuildJob,
    cancel: Cancel,
) -> (Result<BuildOutcome, BuildError>, Vec<BuildEvent>) {
    build_watched(node, job, cancel, |_| {}).await
}

/// Runs a build and shows each event to `see` as it comes.
pub async fn build_watched(
    node: &LocalNode,
    job: BuildJob,
    cancel: Cancel,
    mut see: impl FnMut(&BuildEvent),
) -> (Result<BuildOutcome, BuildError>, Vec<BuildEvent>) {
    let (sender, mut receiver) = mpsc::channel::<BuildEvent>(16);
    let read = async {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            eprintln!("{:>10} {:?} {}", event.phase, event.step_index, event.message);
            see(&event);
            events.push(event);
        }
        events
    };
    tokio::join!(node.build(job, sender, cancel), read)
}

pub fn machine(outcome: &BuildOutcome) -> MachineSpec {
    MachineSpec {
        id: InstanceId::from_body(&ids().body()),
        artifact: outcome.artifact.id.clone(),
        resources: Resources { vcpus: 1, memory_mb: 128, disk_mb: 512 },
        internet_access: false,
    }
}

/// The statuses of a cache kind, in order.
pub fn cache(events: &[BuildEvent], kind: &str) -> Vec<&'static str> {
    events
        .iter()
        .filter_map(|event| event.cache.as_ref())
        .filter(|cache| cache.kind == kind)
        .map(|cache| cache.status)
        .collect()
}

pub fn messages(events: &[BuildEvent]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}
