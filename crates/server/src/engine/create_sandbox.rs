//! A sandbox: a ready member of a pool if there is one, else what the mode asks for.

use super::{Caller, Engine, Error};
use crate::records::Sandbox;
use nullspace_domain::warm_pool::Mode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is asked for. A dialect refuses what is not in here with `NotImplemented`.
#[derive(Debug, Clone, Serialize)]
pub struct CreateSandbox {
    /// Any template ref.
    pub template: String,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: Option<u32>,
    pub envs: BTreeMap<String, String>,
    pub cwd: Option<String>,
    pub metadata: serde_json::Map<String, serde_json::Value>,
    pub timeout: Duration,
    pub internet_access: bool,
    pub warm_pool: Option<PoolChoice>,
    /// One sandbox per key, for 24 hours, also across a restart.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// How a create uses a pool.
#[derive(Debug, Clone, Serialize)]
pub struct PoolChoice {
    /// May be absent with `bypass` only.
    pub id: Option<String>,
    /// None means the pool's own policy.
    pub mode: Option<Mode>,
    /// Clamped to `limits::CHECKOUT_WAIT_MAX`.
    pub wait: Duration,
}

impl Engine {
    /// Returns when commands can be run in it.
    pub async fn create_sandbox(&self, _caller: &Caller, _request: CreateSandbox) -> Result<Sandbox, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
