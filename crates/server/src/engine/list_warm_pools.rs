//! A tenant's pools.

use super::{Caller, Engine, Error, PoolInfo};
use nullspace_domain::warm_pool::PoolState;

/// Every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct PoolFilter {
    /// A template ref.
    pub template: Option<String>,
    /// None hides deleted ones.
    pub state: Option<PoolState>,
    /// `KEY=VALUE`, all of them.
    pub labels: Vec<(String, String)>,
    /// `ready`, `warming`, `degraded`, `draining` or `unavailable`.
    pub status: Option<String>,
    pub limit: Option<u32>,
}

impl Engine {
    /// Newest first.
    pub async fn list_warm_pools(&self, _caller: &Caller, _filter: PoolFilter) -> Result<Vec<PoolInfo>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
