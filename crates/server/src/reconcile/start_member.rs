//! Making a pool's member: the host is told, and the row says what came of it.

use super::report;
use crate::engine::{Engine, Error};
use crate::store::{instances, pools};
use nullspace_domain::instance::{End, Event};
use nullspace_domain::{InstanceId, WarmPoolId};
use nullspace_node::api::{MachineSpec, StartError};
use tokio::task::JoinHandle;

impl Engine {
    /// Tells the host to make a machine whose row is `Starting`. Repeating it waits for the first.
    pub(crate) fn start_member(&self, spec: MachineSpec) -> JoinHandle<()> {
        let engine = self.clone();
        self.spawn(async move {
            let id = spec.id.clone();
            let artifact = spec.artifact.clone();
            let deadline = engine.inner.config.limits.start_deadline;
            let started = match tokio::time::timeout(deadline, engine.inner.node.start(spec)).await {
                Ok(started) => started,
                Err(_) => Err(StartError::Failed(format!("it was not ready after {} s", deadline.as_secs()))),
            };
            match started {
                Ok(()) => report("record a ready member", engine.member_ready(&id).await),
                Err(error) => {
                    if let StartError::ArtifactUnavailable(_) = &error {
                        engine.memory(|memory| memory.missing_artifacts.insert(artifact));
                    }
                    tracing::warn!(instance.id = %id, "instance {id} did not become ready: {error}");
                    report("record a failed start", engine.member_failed(&id, &error).await);
                }
            }
        })
    }

    async fn member_ready(&self, id: &InstanceId) -> Result<(), Error> {
        let (id, now) = (id.clone(), self.now());
        let ready = move |tx: &rusqlite::Transaction<'_>| {
            let Some(mut row) = instances::instance(tx, &id)? else { return Ok(None) };
            let before = row.revision;
            // Let go while it was starting: whoever did that ends it.
            if row.apply(Event::BecameReady, now).is_err() || !instances::instance_update(tx, &row, before)? {
                return Ok(row.pool);
            }
            if let Some(pool) = &row.pool
                && let Some(mut pool) = pools::pool(tx, pool)?.filter(|pool| pool.failures_in_a_row > 0)
            {
                pool.failures_in_a_row = 0;
                pools::pool_update(tx, &mut pool)?;
            }
            Ok::<_, Error>(row.pool)
        };
        if let Some(pool) = self.inner.store.write(ready).await? {
            self.memory(|memory| memory.start_failures.remove(&pool));
            self.inner.waiters.wake_first(&pool);
            self.inner.due.mark(&pool);
        }
        Ok(())
    }

    async fn member_failed(&self, id: &InstanceId, error: &StartError) -> Result<(), Error> {
        let row = id.clone();
        // A start that was stopped says nothing about the template.
        let counts = !matches!(error, StartError::Stopped);
        let count = move |tx: &rusqlite::Transaction<'_>| {
            let pool: Option<WarmPoolId> =
                instances::instance(tx, &row)?.filter(|row| row.is_warming()).and_then(|row| row.pool);
            if let Some(id) = &pool
                && counts
                && let Some(mut pool) = pools::pool(tx, id)?
            {
                pool.failures_in_a_row += 1;
                pools::pool_update(tx, &mut pool)?;
            }
            Ok::<_, Error>(pool)
        };
        let pool = self.inner.store.write(count).await?;
        if let Some(pool) = &pool {
            self.memory(|memory| memory.start_failures.insert(pool.clone(), error.to_string()));
        }
        let why = if counts { End::Failed } else { End::Released };
        self.machine_failed(id, why, error.to_string()).await?;
        self.pool_changed(pool.as_ref());
        Ok(())
    }
}
