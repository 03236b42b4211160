//! The host that is embedded in the server: the parts of this crate behind the one contract that the
//! control plane knows.
//!
//! Nothing is decided here but whether there is room. Dropping a `LocalNode` leaves its machines running,
//! and the next one on the same directory finds them; `end_everything` is for a server that shall leave nothing.

mod builds;
mod open;
mod settings;

pub use open::OpenError;
pub use settings::Settings;

use crate::api::{
    ArtifactInfo, BuildError, BuildEvent, BuildJob, BuildOutcome, Cancel, GuestStream, ImageError, ImageInfo,
    ImageProgress, ImageSource, Liveness, MachineError, MachineReport, MachineSpec, Node, NodeStatus, StartError,
};
use crate::artifacts::ArtifactStore;
use crate::builder::Builder;
use crate::driver::{DiskChain, Driver, chain};
use crate::images::ImageStore;
use crate::machines::Machines;
use crate::network::EgressNetwork;
use crate::profiles::{self, Profiles};
use crate::room;
use async_trait::async_trait;
use nullspace_domain::{ArtifactId, InstanceId, NodeId};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::{Semaphore, mpsc};

/// The embedded host.
pub struct LocalNode {
    id: NodeId,
    directory: PathBuf,
    settings: Settings,
    driver: Arc<dyn Driver>,
    network: Arc<EgressNetwork>,
    images: Arc<ImageStore>,
    artifacts: Arc<ArtifactStore>,
    profiles: Arc<Profiles>,
    machines: Machines,
    builder: Arc<Builder>,
    building: Arc<Semaphore>,
    /// Artifacts that running builds stand on: no sweep takes them.
    bases: Arc<Mutex<BTreeMap<ArtifactId, u32>>>,
    /// Artifacts whose disk was read and found whole, and the disk's time then.
    verified: Mutex<BTreeMap<ArtifactId, SystemTime>>,
    closing: Cancel,
}

#[async_trait]
impl Node for LocalNode {
    fn id(&self) -> NodeId {
        self.id.clone()
    }

    async fn status(&self) -> NodeStatus {
        let mut warnings = self.driver.warnings();
        let memory_mb = self.settings.memory_mb.unwrap_or_else(|| match room::memory() {
            Ok((host, limit)) => room::memory_for_machines(host, limit),
            Err(error) => {
                warnings.push(format!("the host's memory is unknown: {error}"));
                0
            }
        });
        let disk = room::disk(&self.directory).unwrap_or_else(|error| {
            warnings.push(format!("the room on the disk is unknown: {error}"));
            room::Disk { total_mb: 0, free_mb: 0 }
        });
        NodeStatus {
            id: self.id.clone(),
            driver: self.driver.name().to_owned(),
            accelerator: self.driver.accelerator(),
            warnings,
            memory_mb,
            disk_mb: disk.total_mb,
            disk_free_mb: disk.free_mb,
        }
    }

    async fn start(&self, spec: MachineSpec) -> Result<(), StartError> {
        let artifact = self.artifacts.get(&spec.artifact);
        let artifact = artifact.ok_or_else(|| StartError::ArtifactUnavailable(spec.artifact.clone()))?;
        room::require(&self.directory, self.settings.disk_floor_mb)
            .map_err(|detail| StartError::NoRoom { what: "disk", detail })?;
        if spec.internet_access {
            self.refresh_network().await;
        }
        let artifact = profiles::Artifact {
            id: artifact.info.id,
            disk: DiskChain::raw(artifact.disk),
            runtime: artifact.info.runtime,
        };
        self.machines.start(spec, artifact).await
    }

    async fn resume(&self, id: &InstanceId) -> Result<(), MachineError> {
        self.machines.resume(id).await
    }

    async fn stop(&self, id: &InstanceId) -> Result<(), MachineError> {
        self.machines.stop(id).await
    }

    fn liveness(&self, id: &InstanceId) -> Liveness {
        self.machines.liveness(id)
    }

    async fn machines(&self) -> Vec<MachineReport> {
        self.machines.reports()
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<MachineReport> {
        self.machines.watch()
    }

    async fn guest(&self, id: &InstanceId) -> Result<Box<dyn GuestStream>, MachineError> {
        Ok(Box::new(self.machines.guest(id).await?))
    }

    async fn build(
        &self,
        job: BuildJob,
        events: mpsc::Sender<BuildEvent>,
        cancel: Cancel,
    ) -> Result<BuildOutcome, BuildError> {
        self.run_build(job, events, cancel).await
    }

    async fn artifact(&self, id: &ArtifactId) -> Option<ArtifactInfo> {
        let artifact = self.artifacts.get(id)?;
        let written = std::fs::metadata(&artifact.disk).and_then(|metadata| metadata.modified()).ok()?;
        // Reading a whole disk takes a second; once for each writing of it is enough.
        if self.verified().get(id) != Some(&written) {
            let (artifacts, wanted) = (self.artifacts.clone(), id.clone());
            let verified = tokio::task::spawn_blocking(move || artifacts.verify(&wanted)).await;
            if let Err(error) = verified.expect("reading an artifact does not panic") {
                tracing::warn!(artifact = %id, error = %chain(&error), "an artifact cannot be used");
                return None;
            }
            self.verified().insert(id.clone(), written);
        }
        Some(artifact.info)
    }

    async fn sweep_artifacts(&self, keep: &[ArtifactId]) -> Result<(), ImageError> {
        let mut keep = keep.to_vec();
        keep.extend(self.bases.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned());
        self.profiles.sweep(&keep);
        let artifacts = self.artifacts.clone();
        let swept = tokio::task::spawn_blocking(move || artifacts.sweep(&keep)).await;
        let removed = swept
            .expect("sweeping does not panic")
            .map_err(|error| ImageError::Failed { doing: "remove artifacts".to_owned(), detail: chain(&error) })?;
        self.verified().retain(|id, _| !removed.contains(id));
        Ok(())
    }

    async fn images(&self) -> Vec<ImageInfo> {
        self.images.list().await.unwrap_or_else(|error| {
            tracing::warn!(error = %chain(&error), "cannot list the images");
            Vec::new()
        })
    }

    async fn add_image(
        &self,
        name: &str,
        source: ImageSource,
        progress: mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, ImageError> {
        self.images.add(name, source, &progress).await
    }

    async fn remove_image(&self, name: &str) -> Result<(), ImageError> {
        self.images.remove(name).await
    }
}

impl LocalNode {
    /// Ends every machine, build and helper process of this host, for a server that shall leave nothing
    /// running. The host is not usable afterwards.
    pub async fn end_everything(&self) {
        self.closing.cancel();
        // Every build gives its permit back when nothing of it is left.
        let builds = self.building.acquire_many(u32::try_from(self.settings.builds_max).unwrap_or(u32::MAX)).await;
        drop(builds);
        let ending = self.machines.reports().into_iter().map(|report| async move {
            if let Err(error) = self.machines.stop(&report.id).await {
                tracing::error!(instance.id = %report.id, error = %chain(&error), "cannot end a machine");
            }
        });
        futures::future::join_all(ending).await;
        let network = self.network.clone();
        tokio::task::spawn_blocking(move || network.close()).await.expect("closing the network does not panic");
    }

    /// Makes the way out again where it is missing, and keeps its filter true to the host's addresses.
    async fn refresh_network(&self) {
        let network = self.network.clone();
        tokio::task::spawn_blocking(move || network.refresh()).await.expect("refreshing the network does not panic");
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, BTreeMap<ArtifactId, SystemTime>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
