//! What nobody reported: rows without machines, machines without rows, and what is past its keeping.

use crate::config::{DELETED_POOL_KEPT, IDEMPOTENCY_KEPT, STOP_WITHIN};
use crate::engine::{Engine, Error};
use crate::store::{builds, idempotency, instances, pools};
use nullspace_domain::instance::{End, Instance, State};
use nullspace_domain::warm_pool::{PoolState, later};
use nullspace_domain::{ArtifactId, Timestamp};
use nullspace_node::api::{Liveness, MachineReport};
use std::collections::BTreeSet;
use std::time::Duration;

/// Ended rows are kept this long beyond what plans count: a person may look for them.
const GONE_ROWS_KEPT: Duration = Duration::from_secs(24 * 3600);

impl Engine {
    pub(super) async fn sweep(self) -> Result<(), Error> {
        self.refresh_host_status().await;
        // Machines first: a row is there before its machine, so one without a row has none for good.
        let machines = self.inner.node.machines().await;
        let rows =
            self.inner.store.read(|connection| Ok::<_, Error>(instances::instances_present(connection)?)).await?;
        self.stop_orphans(&machines, &rows);
        self.notice_lost(&rows).await?;
        self.purge().await?;
        self.sweep_artifacts().await
    }

    fn stop_orphans(&self, machines: &[MachineReport], rows: &[Instance]) {
        let known: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
        for orphan in machines.iter().filter(|machine| !known.contains(&machine.id)) {
            tracing::warn!(instance.id = %orphan.id, "instance {} has no row; stopping it", orphan.id);
            self.stop_machine(orphan.id.clone());
        }
    }

    async fn notice_lost(&self, rows: &[Instance]) -> Result<(), Error> {
        let now = self.now();
        for row in rows {
            match &row.state {
                State::Ready { .. } | State::Bound { .. } if self.inner.node.liveness(&row.id) == Liveness::Dead => {
                    self.machine_failed(&row.id, End::Lost, "the machine's process is gone".to_owned()).await?;
                    self.pool_changed(row.pool.as_ref());
                }
                // The host failed to end it, or did not say so.
                State::Stopping { since, .. } if later(*since, STOP_WITHIN) < now => {
                    self.stop_machine(row.id.clone());
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn purge(&self) -> Result<(), Error> {
        let now = self.now();
        let before = move |kept: Duration| now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
        let purge = move |tx: &rusqlite::Transaction<'_>| {
            idempotency::keys_purge(tx, before(IDEMPOTENCY_KEPT))?;
            instances::instances_purge(tx, before(GONE_ROWS_KEPT))?;
            for pool in pools::pools(tx)? {
                let over = pool.deleted_at.is_some_and(|deleted| deleted < before(DELETED_POOL_KEPT));
                if pool.state == PoolState::Deleted && over && pool.drained_at.is_some() {
                    pools::pool_remove(tx, &pool.id)?;
                }
            }
            Ok::<_, Error>(())
        };
        self.inner.store.write(purge).await
    }

    /// Removes what no template, pool or machine can mean any more. Not while a build runs: its
    /// artifact is there before the row says so.
    async fn sweep_artifacts(&self) -> Result<(), Error> {
        let Ok(_no_build_runs) = self.inner.builds.artifacts.try_write() else { return Ok(()) };
        let keep = |connection: &rusqlite::Connection| {
            let mut keep: BTreeSet<ArtifactId> = builds::artifacts_of_templates(connection)?;
            keep.extend(instances::artifacts_in_use(connection)?);
            for pool in pools::pools(connection)? {
                keep.insert(pool.current.artifact);
                keep.extend(pool.previous.map(|previous| previous.artifact));
            }
            Ok::<_, Error>(keep.into_iter().collect::<Vec<_>>())
        };
        let keep = self.inner.store.read(keep).await?;
        self.inner.node.sweep_artifacts(&keep).await.map_err(|error| Error::internal("sweep artifacts", error))
    }
}
