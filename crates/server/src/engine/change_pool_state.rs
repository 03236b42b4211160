//! Enabling, disabling, draining and deleting a pool. Checked-out sandboxes are never touched.

use super::{Caller, Engine, Error, PoolInfo};

impl Engine {
    pub async fn enable_warm_pool(&self, _caller: &Caller, _id: &str) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// Keeps its members; no refill and no checkout.
    pub async fn disable_warm_pool(&self, _caller: &Caller, _id: &str) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// Lets its members go at the controller's pace.
    pub async fn drain_warm_pool(&self, _caller: &Caller, _id: &str) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// Drained, and not listed any more.
    pub async fn delete_warm_pool(&self, _caller: &Caller, _id: &str) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
