//! Enabling, disabling, draining and deleting a pool. Checked-out sandboxes are never touched.

use super::{Caller, Engine, Error, PoolInfo, lookup};
use crate::store::pools;
use nullspace_domain::Timestamp;
use nullspace_domain::warm_pool::{PoolState, WarmPool};

impl Engine {
    pub async fn enable_warm_pool(&self, caller: &Caller, id: &str) -> Result<PoolInfo, Error> {
        self.change_pool_state(caller, id, PoolState::Enabled).await
    }

    /// Keeps its members; no refill and no checkout.
    pub async fn disable_warm_pool(&self, caller: &Caller, id: &str) -> Result<PoolInfo, Error> {
        self.change_pool_state(caller, id, PoolState::Disabled).await
    }

    /// Lets its members go at the controller's pace.
    pub async fn drain_warm_pool(&self, caller: &Caller, id: &str) -> Result<PoolInfo, Error> {
        self.change_pool_state(caller, id, PoolState::Draining).await
    }

    /// Drained, and not listed any more.
    pub async fn delete_warm_pool(&self, caller: &Caller, id: &str) -> Result<PoolInfo, Error> {
        self.change_pool_state(caller, id, PoolState::Deleted).await
    }

    async fn change_pool_state(&self, caller: &Caller, id: &str, to: PoolState) -> Result<PoolInfo, Error> {
        let (engine, caller, id, now) = (self.clone(), caller.clone(), id.to_owned(), self.now());
        let change = move |tx: &rusqlite::Transaction<'_>| {
            let mut pool = lookup::pool(tx, &caller, &id)?;
            if enter(&mut pool, to, now)? {
                pools::pool_update(tx, &mut pool)?;
            }
            engine.pool_info(tx, pool)
        };
        let info = self.inner.store.write_durable(change).await?;
        // Those who wait for a member find out that none will come.
        self.inner.waiters.wake_all(&info.pool.id);
        self.pool_changed(Some(&info.pool.id));
        Ok(info)
    }
}

/// Says whether anything changed. A deleted pool stays deleted.
fn enter(pool: &mut WarmPool, to: PoolState, now: Timestamp) -> Result<bool, Error> {
    if pool.state == to && to != PoolState::Enabled {
        return Ok(false);
    }
    if pool.state == PoolState::Deleted {
        return Err(Error::Conflict { message: format!("pool `{}` is deleted", pool.id) });
    }
    match to {
        PoolState::Enabled => {
            // Also the way to make a pool that gave up try again.
            pool.failures_in_a_row = 0;
            pool.abandoned = None;
            pool.drained_at = None;
            pool.enabled_at = Some(now);
        }
        PoolState::Disabled => pool.disabled_at = Some(now),
        PoolState::Draining => pool.drain_requested_at = Some(now),
        PoolState::Deleted => {
            pool.drain_requested_at.get_or_insert(now);
            pool.deleted_at = Some(now);
        }
    }
    pool.state = to;
    pool.updated_at = now;
    Ok(true)
}
