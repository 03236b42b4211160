//! The rows, as a database would keep them: read whole, changed only where the revision still holds.

use crate::random::Random;
use nullspace_domain::instance::{Event, Instance, State};
use nullspace_domain::limits::{Limits, MEMORY_OVERHEAD_MB};
use nullspace_domain::warm_pool::WarmPool;
use nullspace_domain::world::{Health, Node, PoolView, Resolved, Tenant, World};
use nullspace_domain::{InstanceId, NodeId, SandboxId, TenantId, Timestamp, WarmPoolId};
use std::collections::{BTreeMap, BTreeSet};

/// A pool's row, and what it follows.
pub struct Pool {
    pub row: WarmPool,
    /// What its tag points at.
    pub tag: Option<Resolved>,
    pub waiters: u32,
    pub last_failure: Option<String>,
}

/// A host as the control plane knows it.
pub struct KnownHost {
    pub health: Health,
    pub memory_mb: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    pub instance: InstanceId,
    pub is_over: bool,
}

pub struct Store {
    pub now: Timestamp,
    pub limits: Limits,
    pub pools: BTreeMap<WarmPoolId, Pool>,
    pub instances: BTreeMap<InstanceId, Instance>,
    pub sandboxes: BTreeMap<SandboxId, Sandbox>,
    pub hosts: BTreeMap<NodeId, KnownHost>,
    pub quota: BTreeMap<TenantId, u32>,
    /// Pools to plan, and pools to plan at some time.
    pub due: BTreeSet<WarmPoolId>,
    pub wakes: BTreeMap<WarmPoolId, Timestamp>,
    /// Counts everything that happened to a row, so that what has not changed is not checked again.
    pub changes: u64,
    pub random: Random,
    /// What happened, for whoever reads a failing seed.
    pub story: Vec<String>,
    pub is_loud: bool,
}

impl Store {
    pub fn tell(&mut self, line: String) {
        let line = format!("{} {line}", self.now.as_second() - 1_700_000_000);
        if self.is_loud {
            eprintln!("{line}");
        }
        self.story.push(line);
    }

    /// Changes a pool's row, counts its revision and makes it due.
    pub fn change_pool(&mut self, id: &WarmPoolId, change: impl FnOnce(&mut WarmPool)) {
        let pool = self.pools.get_mut(id).expect("pools are never removed");
        change(&mut pool.row);
        pool.row.updated_at = self.now;
        pool.row.revision += 1;
        self.changes += 1;
        self.due.insert(id.clone());
    }

    /// Moves an instance. An illegal move is a fault of whoever asked.
    pub fn move_instance(&mut self, id: &InstanceId, event: Event) {
        let row = self.instances.get_mut(id).expect("rows are never removed");
        let before = row.state.clone();
        row.apply(event, self.now).unwrap_or_else(|error| panic!("{error}"));
        let (after, pool) = (row.state.clone(), row.pool.clone());
        if let State::Bound { to, .. } = &before {
            let sandbox = self.sandboxes.get_mut(to).expect("a bound instance has its sandbox");
            sandbox.is_over = true;
        }
        self.due.extend(pool);
        self.changes += 1;
        self.tell(format!("{id}: {after:?}"));
    }

    /// A new row.
    pub fn insert_instance(&mut self, row: Instance) {
        self.changes += 1;
        assert!(self.instances.insert(row.id.clone(), row).is_none(), "ids are new");
    }

    /// Drops rows that ended before anyone would still count them.
    pub fn forget_history(&mut self) {
        let (now, history) = (self.now, self.history());
        self.instances.retain(|_, row| !matches!(&row.state, State::Gone { at, .. } if *at + history < now));
    }

    fn history(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::try_from(self.limits.history).expect("an hour")
    }

    pub fn rows_of<'a>(&'a self, pool: &'a WarmPoolId) -> impl Iterator<Item = &'a Instance> {
        self.instances.values().filter(move |row| row.pool.as_ref() == Some(pool))
    }

    /// Rows that `max_ready` bounds.
    pub fn held(&self, pool: &WarmPoolId) -> u32 {
        self.rows_of(pool).filter(|row| row.is_warming() || row.is_ready()).count() as u32
    }

    pub fn memory_used(&self, node: &NodeId) -> u64 {
        let on_node = self.instances.values().filter(|row| row.holds_capacity() && row.node() == Some(node));
        on_node.map(|row| u64::from(row.resources.memory_mb + MEMORY_OVERHEAD_MB)).sum()
    }

    pub fn machines_of(&self, tenant: &TenantId) -> u32 {
        self.instances.values().filter(|row| row.holds_capacity() && row.tenant == *tenant).count() as u32
    }

    /// What a loop sees that plans these pools now.
    pub fn world(&self, due: &BTreeSet<WarmPoolId>) -> World {
        let history = self.history();
        let is_recent = |row: &Instance| match &row.state {
            State::Gone { at, .. } => *at + history >= self.now,
            _ => true,
        };
        let view = |id: &WarmPoolId, pool: &Pool| PoolView {
            pool: pool.row.clone(),
            instances: self.rows_of(id).filter(|row| is_recent(row)).map(|row| (row.id.clone(), row.clone())).collect(),
            waiters: pool.waiters,
            wanted: pool.tag.clone(),
            last_failure: pool.last_failure.clone(),
        };
        let pools = self.pools.iter().filter(|(id, _)| due.contains(*id));
        let node = |id: &NodeId, host: &KnownHost| {
            let is_starting = |row: &&Instance| matches!(&row.state, State::Starting { node, .. } if node == id);
            Node {
                health: host.health,
                memory_mb: host.memory_mb,
                disk_mb: 1 << 30,
                memory_used_mb: self.memory_used(id),
                disk_used_mb: 0,
                starting: self.instances.values().filter(is_starting).count() as u32,
                missing_artifacts: BTreeSet::new(),
            }
        };
        let tenant = |id: &TenantId, most: &u32| Tenant {
            instances_max: Some(*most),
            memory_mb_max: None,
            instances_used: self.machines_of(id),
            memory_mb_used: 0,
        };
        World {
            now: self.now,
            nodes: self.hosts.iter().map(|(id, host)| (id.clone(), node(id, host))).collect(),
            pools: pools.map(|(id, pool)| (id.clone(), view(id, pool))).collect(),
            tenants: self.quota.iter().map(|(id, most)| (id.clone(), tenant(id, most))).collect(),
        }
    }
}
