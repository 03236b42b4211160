//! What the planner looks at: the part of the system that is due, and nothing else.
//!
//! It serialises, so what went wrong on a real machine becomes a test case by saving one file.

use crate::instance::Instance;
use crate::warm_pool::WarmPool;
use crate::{ArtifactId, BuildId, InstanceId, NodeId, TenantId, Timestamp, WarmPoolId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    pub now: Timestamp,
    pub nodes: BTreeMap<NodeId, Node>,
    pub pools: BTreeMap<WarmPoolId, PoolView>,
    pub tenants: BTreeMap<TenantId, Tenant>,
}

/// A pool with its rows: every instance of it that is not gone, and those gone within the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    pub pool: WarmPool,
    pub instances: BTreeMap<InstanceId, Instance>,
    /// Creates that are waiting for a member right now.
    pub waiters: u32,
    /// What the pool's ref or tag resolves to now; none if it resolves to nothing usable.
    pub wanted: Option<Resolved>,
    /// What the last failed start said, as evidence.
    #[serde(default)]
    pub last_failure: Option<String>,
}

/// A build that can be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    pub build: BuildId,
    pub artifact: ArtifactId,
}

/// A host as the control plane knows it. Totals count every instance on it, loaded or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub health: Health,
    pub memory_mb: u64,
    pub disk_mb: u64,
    /// Nominal memory plus overhead of every instance that may exist there.
    pub memory_used_mb: u64,
    pub disk_used_mb: u64,
    /// Instances it is starting now, warm or cold.
    pub starting: u32,
    /// Artifacts of due pools that this host said it does not have. Silence is not absence.
    #[serde(default)]
    pub missing_artifacts: BTreeSet<ArtifactId>,
}

/// *Unknown* is a state: a silent node may still be running everything it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Up,
    Silent,
    Dead,
}

/// A tenant's quota and use. `None` means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub instances_max: Option<u32>,
    pub memory_mb_max: Option<u64>,
    pub instances_used: u32,
    pub memory_mb_used: u64,
}
