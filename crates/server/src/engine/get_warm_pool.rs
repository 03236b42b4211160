//! One pool, with a recount of its rows.

use super::{Caller, Engine, Error, lookup};
use crate::store::{instances, templates};
use nullspace_domain::Timestamp;
use nullspace_domain::instance::Instance;
use nullspace_domain::plan;
use nullspace_domain::warm_pool::{Counts, WarmPool};
use nullspace_domain::world::PoolView;
use rusqlite::Connection;

/// A pool and what can be computed about it.
#[derive(Debug, Clone)]
pub struct PoolInfo {
    pub pool: WarmPool,
    pub counts: Counts,
    /// `namespace/name` of the template it fills.
    pub resolved_template: String,
    pub rollout: Rollout,
}

/// How far the pool is on its way to its current generation (spec warm-pools §7.3).
#[derive(Debug, Clone, Default)]
pub struct Rollout {
    /// Rows of what the pool makes now.
    pub current: IdentityCounts,
    /// All rows of the pool.
    pub observed: IdentityCounts,
    pub old_ready_or_warming: u32,
    pub old_released_last_tick: u32,
}

pub use nullspace_domain::plan::RolloutCounts as IdentityCounts;

impl Engine {
    /// Also a deleted one, for a grace period.
    pub async fn get_warm_pool(&self, caller: &Caller, id: &str) -> Result<PoolInfo, Error> {
        let (engine, caller, id) = (self.clone(), caller.clone(), id.to_owned());
        let get = move |connection: &Connection| engine.pool_info(connection, lookup::pool(connection, &caller, &id)?);
        self.inner.store.read(get).await
    }
}

impl Engine {
    /// Counts a pool's rows.
    pub(super) fn pool_info(&self, connection: &Connection, pool: WarmPool) -> Result<PoolInfo, Error> {
        let now = self.now();
        let history = self.inner.config.limits.history;
        let since = now.saturating_sub(history).unwrap_or(Timestamp::MIN);
        let rows = instances::instances_of_pool(connection, &pool.id, since)?;
        let template = templates::template(connection, &pool.template)?;
        let resolved_template = template.map_or_else(|| pool.template.to_string(), |template| template.canonical_ref());
        let view = PoolView {
            waiters: u32::try_from(self.inner.waiters.count(&pool.id)).unwrap_or(u32::MAX),
            instances: rows.into_iter().map(|row| (row.id.clone(), row)).collect(),
            wanted: None,
            last_failure: None,
            pool,
        };
        let counts = plan::counts(&view, &self.known_nodes(), now, history);
        let (current, observed) = plan::rollout_counts(&view);
        let is_old = |row: &&Instance| !view.pool.makes(row) && (row.is_ready() || row.is_warming());
        let old = view.instances.values().filter(is_old).count();
        let mut pool = view.pool;
        let (released, reconciled) = self.memory(|memory| {
            let released = memory.released.get(&pool.id).copied();
            (released.unwrap_or(0), memory.reconciled.get(&pool.id).copied())
        });
        pool.last_reconciled_at = reconciled;
        let rollout = Rollout {
            current,
            observed,
            old_ready_or_warming: u32::try_from(old).unwrap_or(u32::MAX),
            old_released_last_tick: released,
        };
        Ok(PoolInfo { pool, counts, resolved_template, rollout })
    }
}
