//! One native build from its job to its artifact's disk: the base, what the cache holds of the
//! steps, the machine for the rest of them, and the flattened disk.

use super::Builder;
use super::environment::Defaults;
use super::error::Error;
use super::flatten::flatten;
use super::layers::Hold;
use super::machine::{BuildMachine, Envs, StepError};
use super::plan::{CacheUse, Plan, PlannedStep, plan};
use super::report::{CacheKind, CacheStatus, Phase, Report};
use super::site::Site;
use crate::api::{ArtifactInfo, BuildBase, BuildJob, ImageProgress, RegistryAuth};
use crate::driver::{self, Boot, DiskChain, Network, Purpose};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Steps gain from a second processor even where the template has one.
const BUILD_VCPUS_MIN: u32 = 2;
/// Progress messages of a pull that may wait for the log's reader.
const PROGRESS_QUEUE: usize = 64;

/// What a build starts from.
struct Base {
    disk: PathBuf,
    /// Changes whenever the disk's content does.
    identity: String,
    digest: Option<String>,
    defaults: Defaults,
}

impl Builder {
    /// The artifact of a job: an earlier build's where nothing differs, else a new one.
    pub(super) async fn artifact_of(
        &self,
        job: &BuildJob,
        report: &Report,
        site: &mut Site,
    ) -> Result<ArtifactInfo, Error> {
        let base = self.base(job, report).await?;
        let plan = plan(job, base.defaults, &base.identity)?;
        let subject = job.id.as_str();
        if let Some(bypass) = plan.result_bypass {
            report.cache(CacheKind::FinalArtifact, bypass, subject).await;
        } else if let Some(known) = self.results.find(&plan.result).and_then(|id| self.artifacts.get(&id)) {
            report.cache(CacheKind::FinalArtifact, CacheStatus::Hit, subject).await;
            return Ok(known.info);
        } else {
            report.cache(CacheKind::FinalArtifact, CacheStatus::Miss, subject).await;
        }

        let disk = self.carry_out(job, &plan, base.disk, report, site).await?;
        let artifact = self.finalize(&plan, disk, base.digest, report, site).await?;
        if plan.result_bypass != Some(CacheStatus::BehindBoundary) {
            self.results
                .keep(&plan.result, &artifact.id)
                .map_err(|error| Error::Finalize { doing: "remember the artifact", detail: error.to_string() })?;
            report.cache(CacheKind::FinalArtifact, CacheStatus::Stored, subject).await;
        }
        Ok(artifact)
    }

    async fn base(&self, job: &BuildJob, report: &Report) -> Result<Base, Error> {
        match &job.base {
            BuildBase::Image { reference, auth } => self.image_base(reference, auth.as_ref(), report).await,
            BuildBase::Artifact { id } => {
                report.say(Phase::Preparing, "Starting from another template").await;
                let artifact = self.artifacts.get(id).ok_or_else(|| Error::BaseArtifactGone(id.clone()))?;
                Ok(Base {
                    identity: artifact.disk_digest,
                    disk: artifact.disk,
                    digest: artifact.info.base_digest,
                    defaults: Defaults::of_runtime(artifact.info.runtime),
                })
            }
        }
    }

    async fn image_base(&self, reference: &str, auth: Option<&RegistryAuth>, report: &Report) -> Result<Base, Error> {
        report.say(Phase::Preparing, format!("Getting the base image {reference}")).await;
        let (progress, mut messages) = mpsc::channel::<ImageProgress>(PROGRESS_QUEUE);
        let telling = report.clone();
        let tell = async move {
            while let Some(message) = messages.recv().await {
                telling.say(Phase::Preparing, message.message).await;
            }
        };
        let get = async {
            let image = self.images.ensure(reference, auth, &progress).await;
            drop(progress);
            image
        };
        let (image, ()) = tokio::join!(get, tell);
        let image = image?;
        report.say(Phase::Preparing, "Preparing its root disk").await;
        let disk = self.images.root_disk(&image).await?;
        let command = image.config.entrypoint.into_iter().chain(image.config.cmd).collect();
        Ok(Base {
            identity: disk.digest,
            disk: disk.path,
            digest: Some(image.digest),
            defaults: Defaults {
                envs: image.config.env,
                user: image.config.user.filter(|user| !user.is_empty()),
                workdir: image.config.workdir.filter(|path| path.starts_with('/')),
                command,
                ..Defaults::default()
            },
        })
    }

    /// Makes the disk that all steps lead to.
    async fn carry_out(
        &self,
        job: &BuildJob,
        plan: &Plan,
        base: PathBuf,
        report: &Report,
        site: &mut Site,
    ) -> Result<DiskChain, Error> {
        let (hits, mut below) = self.cached(plan);
        let total = plan.steps.len() as u32;
        for step in &plan.steps[..hits] {
            let report = report.step(step.index, total);
            report.say(Phase::Step, format!("[{}/{total}] {}", step.index, step.title)).await;
            report.cache(CacheKind::Layer, CacheStatus::Hit, &step.title).await;
        }
        if hits == plan.steps.len() {
            let disk = self.disk(base, below.as_ref());
            site.hold(below);
            return Ok(disk);
        }

        let trust = if job.internet_access { self.settings.trust.clone() } else { Default::default() };
        let machine = self.build_machine(job, plan, self.disk(base.clone(), below.as_ref()), report, site).await?;
        let trust_files = trust
            .files()
            .map_err(|error| Error::Prepare { doing: "use the host's certificates", detail: driver::chain(&error) })?;
        machine.install_trust(trust_files).await?;
        let host_envs = trust.envs();
        for step in &plan.steps[hits..] {
            let report = report.step(step.index, total);
            let kept =
                self.run_step(&machine, step, total, &host_envs, &plan.envs, below.as_ref(), &report, site).await?;
            // What was kept is held until its own child is, so that no layer under the machine goes.
            below = kept.or(below);
        }
        report.say(Phase::Finalize, "Shutting the build machine down").await;
        machine.shut_down().await?;
        let disk = self.disk(base, below.as_ref()).with_layer(self.layers.path(site.writable()));
        site.hold(below);
        Ok(disk)
    }

    /// The base with the layers up to this one.
    fn disk(&self, base: PathBuf, top: Option<&Arc<Hold>>) -> DiskChain {
        DiskChain { base, layers: top.map(|hold| self.layers.chain(hold.id())).unwrap_or_default() }
    }

    /// How many steps the cache has, and the layer of the last of them.
    fn cached(&self, plan: &Plan) -> (usize, Option<Arc<Hold>>) {
        let usable = plan.steps.iter().take_while(|step| step.cache == CacheUse::Full).count();
        (0..usable)
            .rev()
            .find_map(|last| Some((last + 1, Some(Arc::new(self.layers.find(&plan.steps[last].key)?)))))
            .unwrap_or((0, None))
    }

    async fn build_machine(
        &self,
        job: &BuildJob,
        plan: &Plan,
        disk: DiskChain,
        report: &Report,
        site: &mut Site,
    ) -> Result<BuildMachine, Error> {
        let resources = job.resources;
        let vcpus = resources.vcpus.max(BUILD_VCPUS_MIN);
        report
            .say(
                Phase::VmCreate,
                format!(
                    "Starting the build machine ({vcpus} vCPUs, {} MB, {})",
                    resources.memory_mb,
                    self.driver.accelerator()
                ),
            )
            .await;
        let writable = self.layers.new_layer();
        let boot = Boot {
            disk,
            overlay: Some(self.layers.path(&writable)),
            disk_mb: resources.disk_mb,
            vcpus,
            memory_mb: resources.memory_mb,
            network: Network::from_internet_access(job.internet_access),
            purpose: Purpose::Build,
        };
        let machine =
            BuildMachine::boot(site, job.id.as_str(), writable, boot, self.driver.slowdown(), self.settings.step_max)
                .await?;
        machine.make_workdir(&plan.workdir).await?;
        Ok(machine)
    }

    /// Runs one step, and keeps its layer where the cache may have it.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a different thing that the step needs, and there is one caller"
    )]
    async fn run_step(
        &self,
        machine: &BuildMachine,
        step: &PlannedStep,
        total: u32,
        host_envs: &BTreeMap<String, String>,
        envs: &BTreeMap<String, String>,
        below: Option<&Arc<Hold>>,
        report: &Report,
        site: &mut Site,
    ) -> Result<Option<Arc<Hold>>, Error> {
        let index = step.index;
        report.say(Phase::Step, format!("[{index}/{total}] {}", step.title)).await;
        let status = match step.cache {
            CacheUse::Full => CacheStatus::Miss,
            CacheUse::StoreOnly => CacheStatus::WholeBuildSkipped,
            CacheUse::None => CacheStatus::BehindBoundary,
        };
        report.cache(CacheKind::Layer, status, &step.title).await;
        let envs = Envs { host: host_envs, step: envs };
        let failed = |error| match error {
            StepError::Failed(detail) => {
                Error::Step { index, message: format!("step {index} of {total} ({}) failed: {detail}", step.title) }
            }
            StepError::Machine(detail) => Error::MachineInStep { index, detail },
        };
        machine.perform(&step.work, &envs, report).await.map_err(failed)?;
        if step.cache == CacheUse::None {
            return Ok(None);
        }
        let next = self.layers.new_layer();
        machine.checkpoint(&self.layers.path(&next)).await.map_err(failed)?;
        let finished = site.advance(next);
        let (layers, key, parent) = (self.layers.clone(), step.key.clone(), below.cloned());
        let kept =
            tokio::task::spawn_blocking(move || layers.keep(finished, &key, parent.as_ref().map(|hold| hold.id())))
                .await
                .expect("keeping a layer does not panic")
                .map_err(|error| Error::MachineInStep { index, detail: driver::chain(&error) })?;
        report.cache(CacheKind::Layer, CacheStatus::Stored, &step.title).await;
        Ok(Some(Arc::new(kept)))
    }

    /// The disk becomes an artifact.
    async fn finalize(
        &self,
        plan: &Plan,
        disk: DiskChain,
        base_digest: Option<String>,
        report: &Report,
        site: &mut Site,
    ) -> Result<ArtifactInfo, Error> {
        report.say(Phase::Finalize, "Storing the disk").await;
        let disk = if disk.layers.is_empty() {
            disk.base
        } else {
            flatten(&disk, site.scratch())
                .await
                .map_err(|detail| Error::Finalize { doing: "flatten the disk", detail })?;
            site.scratch().to_owned()
        };
        let (artifacts, runtime) = (self.artifacts.clone(), plan.runtime.clone());
        tokio::task::spawn_blocking(move || artifacts.add(&disk, runtime, base_digest))
            .await
            .expect("storing an artifact does not panic")
            .map_err(|error| Error::Finalize { doing: "store the artifact", detail: driver::chain(&error) })
    }
}
