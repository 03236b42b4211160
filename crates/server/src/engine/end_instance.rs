//! The end of machines and of the sandboxes on them: first the row, then the host.

use super::{Engine, Error};
use crate::config::STOP_WITHIN;
use crate::records::{Sandbox, SandboxStatus};
use crate::store::{self, idempotency, instances, sandboxes};
use nullspace_domain::instance::{End, Event};
use nullspace_domain::{InstanceId, SandboxId, Timestamp, WarmPoolId};
use rusqlite::Connection;
use tokio::task::JoinHandle;

impl Engine {
    /// Ends a sandbox that is live, with its machine. Returns it as it is then, and the machine's end
    /// to wait for; none if it had ended before.
    pub(crate) async fn end_sandbox(
        &self,
        id: &SandboxId,
        status: SandboxStatus,
        why: End,
        failure: Option<String>,
    ) -> Result<Option<(Sandbox, JoinHandle<()>)>, Error> {
        let (id, now) = (id.clone(), self.now());
        let end = move |tx: &rusqlite::Transaction<'_>| {
            let live = sandboxes::sandbox(tx, &id)?.filter(|sandbox| sandbox.status.is_live());
            let Some(mut sandbox) = live else { return Ok(None) };
            close_sandbox(tx, &mut sandbox, status, failure, now)?;
            mark_stopping(tx, &sandbox.instance, why, now)?;
            Ok::<_, Error>(Some(sandbox))
        };
        let ended = self.inner.store.write(end).await?;
        Ok(ended.map(|sandbox| {
            let stopping = self.stop_machine(sandbox.instance.clone());
            (sandbox, stopping)
        }))
    }

    /// A machine ended by itself or could not be made: its row, its sandbox, and what is left of it.
    pub(crate) async fn machine_failed(&self, instance: &InstanceId, why: End, detail: String) -> Result<(), Error> {
        let (id, now) = (instance.clone(), self.now());
        let fail = move |tx: &rusqlite::Transaction<'_>| {
            if let Some(mut sandbox) = sandboxes::sandbox_on(tx, &id)?.filter(|sandbox| sandbox.status.is_live()) {
                close_sandbox(tx, &mut sandbox, SandboxStatus::Error, Some(detail), now)?;
            }
            Ok::<_, Error>(mark_stopping(tx, &id, why, now)?)
        };
        if self.inner.store.write(fail).await? {
            self.stop_machine(instance.clone());
        }
        Ok(())
    }

    /// Tells the host to end a machine whose row says so, and closes the row when nothing is left.
    /// A host that fails is asked again by the sweep.
    pub(crate) fn stop_machine(&self, id: InstanceId) -> JoinHandle<()> {
        let engine = self.clone();
        self.spawn(async move {
            let stopped = tokio::time::timeout(STOP_WITHIN, engine.inner.node.stop(&id)).await;
            match stopped {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(instance.id = %id, "cannot stop instance {id}: {error}");
                    return;
                }
                Err(_) => {
                    tracing::warn!(instance.id = %id, "instance {id} did not stop in time");
                    return;
                }
            }
            match engine.close_instance(&id).await {
                Ok(pool) => engine.pool_changed(pool.as_ref()),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(instance.id = %id, error, "cannot record the end of instance {id}");
                }
            }
        })
    }

    async fn close_instance(&self, id: &InstanceId) -> Result<Option<WarmPoolId>, Error> {
        let (id, now) = (id.clone(), self.now());
        let close = move |tx: &rusqlite::Transaction<'_>| {
            let stopping = instances::instance(tx, &id)?.filter(|instance| instance.is_stopping());
            let Some(mut instance) = stopping else { return Ok(None) };
            let before = instance.revision;
            // The row keeps its first reason; this one is not used.
            instance.apply(Event::Ended { why: End::Released }, now).map_err(|e| Error::internal("close a row", e))?;
            let _unchanged_inside_a_transaction = instances::instance_update(tx, &instance, before)?;
            Ok(instance.pool)
        };
        self.inner.store.write(close).await
    }
}

/// Moves a row to `Stopping` if it is not on its way already. Says whether the host has to be told.
pub(crate) fn mark_stopping(tx: &Connection, id: &InstanceId, why: End, now: Timestamp) -> Result<bool, store::Error> {
    let Some(mut instance) = instances::instance(tx, id)? else { return Ok(false) };
    let before = instance.revision;
    match instance.apply(Event::Stop { why }, now) {
        Ok(()) => instances::instance_update(tx, &instance, before),
        // Stopping or gone.
        Err(_) => Ok(instance.is_stopping()),
    }
}

pub(super) fn close_sandbox(
    tx: &Connection,
    sandbox: &mut Sandbox,
    status: SandboxStatus,
    failure: Option<String>,
    now: Timestamp,
) -> Result<(), store::Error> {
    let was_creating = sandbox.status == SandboxStatus::Creating;
    sandbox.status = status;
    sandbox.failure = failure;
    sandbox.ended_at = Some(now);
    sandbox.timeout_at = None;
    sandboxes::sandbox_update(tx, sandbox)?;
    // A create that failed frees its key; one that succeeded is remembered whatever became of it.
    if was_creating {
        idempotency::key_free(tx, &sandbox.id)?;
    }
    Ok(())
}
