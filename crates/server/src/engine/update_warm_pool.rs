//! Changing a pool.

use super::{Caller, Engine, Error, PoolInfo};
use nullspace_domain::warm_pool::Mode;
use std::collections::BTreeMap;
use std::time::Duration;

/// Only what is given changes.
#[derive(Debug, Clone, Default)]
pub struct UpdateWarmPool {
    pub template_ref: Option<String>,
    pub name: Option<String>,
    pub min_ready: Option<u32>,
    pub max_ready: Option<u32>,
    pub vcpus: Option<u32>,
    pub memory_mb: Option<u32>,
    pub disk_mb: Option<u32>,
    pub idle_timeout: Option<Duration>,
    pub stale_after: Option<Duration>,
    pub checkout_policy: Option<Mode>,
    pub track_tag_policy: Option<bool>,
    pub track_tag: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Engine {
    pub async fn update_warm_pool(
        &self,
        _caller: &Caller,
        _id: &str,
        _update: UpdateWarmPool,
    ) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
