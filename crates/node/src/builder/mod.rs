//! Native builds: from a base and steps to an artifact that has been seen to become ready.
//!
//! ```text
//! job ─ render, copies ─▶ work ─ keys ─▶ plan            (pure)
//! plan ─▶ cached layers ─▶ machine: one step, one layer ─▶ flatten ─▶ artifact ─▶ warm profile
//! ```
//!
//! What is decided is decided before anything runs; what runs, and what the caches hold, follows from
//! it. Whatever way a build ends, its `Site` removes what it must not leave; what a killed server left,
//! `Builder::open` and the journal's recovery remove.

mod copies;
mod environment;
mod error;
mod files;
mod flatten;
mod keys;
mod layers;
mod machine;
mod output;
mod owner;
mod plan;
mod render;
mod report;
mod results;
mod run;
mod site;
mod tarball;
mod trust;
mod warm;
mod work;

pub use trust::Trust;

use crate::api::{ArtifactInfo, BuildError, BuildEvent, BuildJob, BuildOutcome, Cancel};
use crate::artifacts::ArtifactStore;
use crate::driver::{self, Driver};
use crate::images::ImageStore;
use crate::journal::Journal;
use crate::profiles::Profiles;
use error::Error;
use layers::LayerStore;
use report::Report;
use results::Results;
use site::Site;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How a host builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What builds with internet access take from their host.
    pub trust: Trust,
    /// Room for cached steps.
    pub layers_max_bytes: u64,
    /// The longest one step may run, at native speed; stretched where machines are emulated.
    pub step_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trust: Trust::of_host(|name| std::env::var(name).ok()),
            // Some tens of Python environments.
            layers_max_bytes: 20 << 30,
            // Compiling a large native extension takes tens of minutes.
            step_max: Duration::from_secs(3600),
        }
    }
}

/// The parts of a host that builds are made with.
#[derive(Clone)]
pub struct Parts {
    pub driver: Arc<dyn Driver>,
    pub journal: Journal,
    pub images: Arc<ImageStore>,
    pub artifacts: Arc<ArtifactStore>,
    pub profiles: Arc<Profiles>,
}

/// Builds on one host.
pub struct Builder {
    driver: Arc<dyn Driver>,
    journal: Journal,
    images: Arc<ImageStore>,
    artifacts: Arc<ArtifactStore>,
    profiles: Arc<Profiles>,
    layers: Arc<LayerStore>,
    results: Results,
    scratch: PathBuf,
    settings: Settings,
}

/// Why the builder's directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the build directory `{path}`: {detail}", path = path.display())]
pub struct OpenError {
    path: PathBuf,
    detail: String,
}

impl Builder {
    /// Opens the caches in `directory`, making it, and removes what interrupted builds left there.
    pub fn open(directory: &Path, parts: Parts, settings: Settings) -> Result<Self, OpenError> {
        let failed = |detail: String| OpenError { path: directory.to_owned(), detail };
        let scratch = directory.join("scratch");
        match std::fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.to_string())),
            _ => {}
        }
        std::fs::create_dir_all(&scratch).map_err(|error| failed(error.to_string()))?;
        let layers = LayerStore::open(&directory.join("layers"), settings.layers_max_bytes)
            .map_err(|error| failed(driver::chain(&error)))?;
        let results = Results::open(&directory.join("results")).map_err(|error| failed(error.to_string()))?;
        let Parts { driver, journal, images, artifacts, profiles } = parts;
        Ok(Self { driver, journal, images, artifacts, profiles, layers, results, scratch, settings })
    }

    /// Runs a build to its end. However it ends, nothing but caches and the artifact is left.
    pub async fn build(
        &self,
        job: &BuildJob,
        events: mpsc::Sender<BuildEvent>,
        cancel: &Cancel,
    ) -> Result<BuildOutcome, BuildError> {
        let report = Report::new(events);
        let scratch = self.scratch.join(format!("{}.raw", job.id));
        let mut site = Site::new(self.driver.clone(), self.journal.clone(), self.layers.clone(), scratch);
        let result = tokio::select! {
            result = self.make(job, &report, &mut site) => Some(result),
            () = cancel.cancelled() => None,
        };
        site.clear().await;
        // A profile that was given up is ended by its own destructor.
        self.journal.settled().await;
        self.trim_layers().await;
        match result {
            None => Err(BuildError::Cancelled),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(artifact)) => Ok(BuildOutcome { artifact }),
        }
    }

    async fn make(&self, job: &BuildJob, report: &Report, site: &mut Site) -> Result<ArtifactInfo, Error> {
        let artifact = self.artifact_of(job, report, site).await?;
        // Memory for one more machine: the build machine's is not needed any longer.
        site.end_machine().await;
        self.become_ready(job, &artifact.id, report).await?;
        Ok(artifact)
    }

    async fn trim_layers(&self) {
        let layers = self.layers.clone();
        let trimmed = tokio::task::spawn_blocking(move || layers.evict()).await.expect("eviction does not panic");
        if let Err(error) = trimmed {
            tracing::warn!(error = %driver::chain(&error), "cannot make room among the cached build steps");
        }
    }
}
