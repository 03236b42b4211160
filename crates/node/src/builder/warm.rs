//! The last part of a build: the template's machine is started, becomes ready and is snapshotted. What
//! never becomes ready is not a template.

use super::Builder;
use super::error::Error;
use super::report::{Phase, Report};
use crate::api::BuildJob;
use crate::driver::DiskChain;
use crate::profiles::{self, Progress, Size};
use nullspace_domain::ArtifactId;
use tokio::sync::mpsc;

/// Making a profile says a handful of sentences.
const SENTENCES: usize = 16;

impl Builder {
    /// Makes the warm profile at the job's own size, unless it is there.
    pub(super) async fn become_ready(&self, job: &BuildJob, id: &ArtifactId, report: &Report) -> Result<(), Error> {
        let gone = || Error::Snapshot(format!("artifact `{id}` is not on this host any more"));
        let artifact = self.artifacts.get(id).ok_or_else(gone)?;
        let slowdown = self.driver.slowdown();
        let artifact =
            profiles::Artifact { id: id.clone(), disk: DiskChain::raw(artifact.disk), runtime: artifact.info.runtime };
        let size = Size { vcpus: job.resources.vcpus, memory_mb: job.resources.memory_mb };
        let (tell, mut told) = mpsc::channel(SENTENCES);
        let progress = Progress::new(move |phase, sentence| {
            // Lost only if a reader has stood still for sixteen sentences.
            let _ = tell.try_send((phase, sentence));
        });
        let telling = async {
            while let Some((phase, sentence)) = told.recv().await {
                report.say(published(phase), sentence).await;
                if phase == "readiness" && slowdown > 1 {
                    let note = format!("machines are emulated on this host: its timeout is stretched x{slowdown}");
                    report.say(Phase::Readiness, note).await;
                }
            }
        };
        // The channel ends with the progress, which ends with the work.
        let (made, ()) = tokio::join!(self.profiles.ensure(&artifact, size, progress), telling);
        match made {
            Ok(_) => Ok(()),
            Err(profiles::Error::NotReady(detail)) => Err(Error::NotReady(detail)),
            Err(profiles::Error::Failed(detail)) => Err(Error::Snapshot(detail)),
        }
    }
}

fn published(phase: &str) -> Phase {
    match phase {
        "startup" => Phase::Startup,
        "readiness" => Phase::Readiness,
        _ => Phase::Snapshot,
    }
}
