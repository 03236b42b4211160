//! One pool, with a recount of its rows.

use super::{Caller, Engine, Error};
use nullspace_domain::warm_pool::{Counts, WarmPool};

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
    /// Rows of the current generation.
    pub current: IdentityCounts,
    /// All rows of the pool.
    pub observed: IdentityCounts,
    pub old_ready_or_warming: u32,
    pub old_released_last_tick: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IdentityCounts {
    pub ready: u32,
    pub warming: u32,
    pub claimed: u32,
    pub failed: u32,
    pub draining: u32,
    pub released: u32,
    pub other: u32,
}

impl Engine {
    /// Also a deleted one, for a grace period.
    pub async fn get_warm_pool(&self, _caller: &Caller, _id: &str) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
