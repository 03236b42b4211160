//! A new pool.

use super::{Caller, Engine, Error, PoolInfo};
use nullspace_domain::warm_pool::Mode;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is asked for; absent means the published default.
#[derive(Debug, Clone)]
pub struct CreateWarmPool {
    pub template_ref: String,
    pub name: String,
    pub min_ready: u32,
    pub max_ready: u32,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: Option<u32>,
    pub idle_timeout: Option<Duration>,
    pub stale_after: Option<Duration>,
    pub checkout_policy: Option<Mode>,
    /// Follow a tag instead of keeping the build of now.
    pub track_tag_policy: bool,
    /// Needed with the policy unless the ref itself has a tag.
    pub track_tag: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

impl Engine {
    /// Enabled from the start; its members follow.
    pub async fn create_warm_pool(&self, _caller: &Caller, _request: CreateWarmPool) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
