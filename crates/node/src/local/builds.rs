//! Builds on this host: a few at a time, and none that outlives whoever wants it.

use super::LocalNode;
use crate::api::{BuildBase, BuildError, BuildEvent, BuildJob, BuildOutcome, Cancel, FailurePhase};
use crate::room;
use nullspace_domain::ArtifactId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

impl LocalNode {
    pub(super) async fn run_build(
        &self,
        job: BuildJob,
        events: mpsc::Sender<BuildEvent>,
        cancel: Cancel,
    ) -> Result<BuildOutcome, BuildError> {
        let cancel = cancel.child_token();
        // Whoever stops waiting ends the build as well, and what it has made is removed all the same.
        let _abandoned = cancel.clone().drop_guard();
        let base = Base::hold(&self.bases, &job.base);
        let permit = tokio::select! {
            permit = self.building.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            () = cancel.cancelled() => return Err(BuildError::Cancelled),
            () = self.closing.cancelled() => return Err(BuildError::Cancelled),
        };
        room::require(&self.directory, self.settings.disk_floor_mb).map_err(no_room)?;
        if job.internet_access {
            self.refresh_network().await;
        }
        let (builder, closing) = (self.builder.clone(), self.closing.clone());
        let building = tokio::spawn(async move {
            let _held_until_nothing_is_left = (permit, base);
            let watch = async {
                closing.cancelled().await;
                cancel.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                outcome = builder.build(&job, events, &cancel) => outcome,
                () = watch => unreachable!("watching never ends by itself"),
            }
        });
        building.await.expect("a build does not panic")
    }
}

fn no_room(detail: String) -> BuildError {
    BuildError::Failed {
        phase: FailurePhase::Prepare,
        message: format!("not enough disk on the host: {detail}"),
        step_index: None,
        retryable: true,
        suggested_action: "Free some room on the host, then build again.".to_owned(),
    }
}

/// Keeps the artifact that a build starts from while it runs.
struct Base {
    bases: Arc<Mutex<BTreeMap<ArtifactId, u32>>>,
    id: Option<ArtifactId>,
}

impl Base {
    fn hold(bases: &Arc<Mutex<BTreeMap<ArtifactId, u32>>>, base: &BuildBase) -> Self {
        let id = match base {
            BuildBase::Artifact { id } => Some(id.clone()),
            BuildBase::Image { .. } => None,
        };
        if let Some(id) = &id {
            *bases.lock().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_default() += 1;
        }
        Self { bases: bases.clone(), id }
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let Some(id) = &self.id else { return };
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = bases.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                bases.remove(id);
            }
        }
    }
}
