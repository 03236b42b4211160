//! The promises of DESIGN.md in words of their own. Nothing here asks the planner, or uses what it uses
//! to decide.

use crate::hosts::Fleet;
use crate::store::Store;
use nullspace_domain::instance::{End, Instance, State};
use nullspace_domain::limits::Limits;
use nullspace_domain::plan::{Action, Plan};
use nullspace_domain::warm_pool::PoolState;
use nullspace_domain::world::{Health, World};
use nullspace_domain::{InstanceId, SandboxId, WarmPoolId};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen so far.
#[derive(Default)]
pub struct Checker {
    /// Nothing has happened since.
    changes: u64,
    states: BTreeMap<InstanceId, State>,
    held: BTreeMap<WarmPoolId, u32>,
    owners: BTreeMap<InstanceId, SandboxId>,
    /// The newest generation of each pool that is known to have cut over.
    cut_over: BTreeMap<WarmPoolId, u32>,
}

/// States only go forward.
fn rank(state: &State) -> u32 {
    match state {
        State::Requested => 0,
        State::Starting { .. } => 1,
        State::Ready { .. } => 2,
        State::Bound { .. } => 3,
        State::Stopping { .. } => 4,
        State::Gone { .. } => 5,
    }
}

impl Checker {
    /// After every step.
    pub fn step(&mut self, store: &Store, fleet: &Fleet) {
        if std::mem::replace(&mut self.changes, store.changes) == store.changes {
            return;
        }
        for (id, row) in &store.instances {
            if let Some(before) = self.states.get(id)
                && *before != row.state
            {
                assert!(rank(before) <= rank(&row.state), "{id} went back from {before:?} to {:?}", row.state);
                if let State::Bound { node, to, .. } = before {
                    still_its_owners(store, fleet, row, node, to);
                }
            }
            if self.states.get(id) != Some(&row.state) {
                self.states.insert(id.clone(), row.state.clone());
            }
        }
        for (id, pool) in &store.pools {
            let held = store.held(id);
            let before = self.held.insert(id.clone(), held).unwrap_or(0);
            // Lowering the maximum lets the pool shrink, and never grow.
            let most = pool.row.max_ready.max(before);
            assert!(held <= most, "{id} holds {held}, {most} are allowed");
            if pool.row.current.cut_over_at.is_some() {
                let known = self.cut_over.entry(id.clone()).or_default();
                *known = pool.row.current.number.max(*known);
            }
        }
        for (node, host) in &store.hosts {
            let used = store.memory_used(node);
            assert!(used <= host.memory_mb, "{node} has {used} MB in use of {}", host.memory_mb);
        }
        for (tenant, most) in &store.quota {
            let used = store.machines_of(tenant);
            assert!(used <= *most, "{tenant} has {used} machines of {most}");
        }
    }

    /// Before an instance is bound.
    pub fn handed_out(&mut self, store: &Store, id: &InstanceId, to: &SandboxId) {
        let row = &store.instances[id];
        let pool_id = row.pool.as_ref().expect("a member");
        let pool = &store.pools[pool_id].row;
        assert_eq!(self.owners.insert(id.clone(), to.clone()), None, "{id} is handed out twice");
        assert_eq!(pool.state, PoolState::Enabled, "{pool_id} serves though it is {:?}", pool.state);
        let State::Ready { since, .. } = &row.state else { panic!("{id} is handed out as {:?}", row.state) };
        let age = store.now.as_second() - since.as_second();
        assert!(age <= pool.stale_after.as_secs() as i64, "{id} is handed out after {age} s");
        if row.build != pool.current.build {
            assert_eq!(pool.current.cut_over_at, None, "{id} is of {} after the cut-over", row.build);
            let cut_over = self.cut_over.get(pool_id).copied().unwrap_or(0);
            assert!(row.generation >= cut_over, "{id} is of generation {} below {cut_over}", row.generation);
        }
    }

    /// Whether some build of the pool has worked.
    pub fn has_worked(&self, pool: &WarmPoolId) -> bool {
        self.cut_over.contains_key(pool)
    }
}

/// What a sandbox holds ends only with the sandbox, its process or its host.
fn still_its_owners(store: &Store, fleet: &Fleet, row: &Instance, node: &nullspace_domain::NodeId, to: &SandboxId) {
    let is_over = store.sandboxes[to].is_over;
    let why = match &row.state {
        State::Stopping { why, .. } | State::Gone { why, .. } => *why,
        other => panic!("{} was bound and is {other:?}", row.id),
    };
    let is_lost = store.hosts[node].health == Health::Dead || !fleet.is_alive(node, &row.id);
    let is_fair = is_over && (why == End::Finished || (why == End::Lost && is_lost));
    assert!(is_fair, "{} was taken from {to}: {why:?}", row.id);
}

/// A plan against the world it was made for: it must be right by itself, before anyone counts again.
pub fn plan(world: &World, limits: &Limits, plan: &Plan) {
    let mut starts: Vec<&Instance> = Vec::new();
    let mut stopped: BTreeSet<&InstanceId> = BTreeSet::new();
    let row = |id: &InstanceId| world.pools.values().find_map(|view| view.instances.get(id)).expect("a known row");
    for action in &plan.actions {
        match action {
            Action::Start { instance, pool_revision } => {
                let view = &world.pools[instance.pool.as_ref().expect("a member")];
                assert_eq!(view.pool.revision, *pool_revision);
                assert_eq!(view.pool.state, PoolState::Enabled, "only enabled pools are filled");
                assert_eq!(view.pool.current.build, instance.build, "only the current build is filled");
                starts.push(instance);
            }
            Action::Stop { instance, revision, .. } => {
                let row = row(instance);
                assert_eq!(row.revision, *revision);
                assert!(row.is_warming() || row.is_ready(), "{instance} is stopped as {:?}", row.state);
                assert!(stopped.insert(instance), "{instance} is stopped twice");
            }
            Action::Forget { instance, .. } => {
                let node = row(instance).node().expect("on a host");
                assert_eq!(world.nodes[node].health, Health::Dead, "{instance} is forgotten");
                stopped.insert(instance);
            }
            _ => {}
        }
    }
    for (id, view) in &world.pools {
        let started = starts.iter().filter(|start| start.pool.as_ref() == Some(id)).count() as u32;
        let rows = view.instances.values().filter(|row| row.is_warming() || row.is_ready());
        let left = rows.filter(|row| !stopped.contains(&row.id)).count() as u32;
        assert!(
            started == 0 || left + started <= view.pool.max_ready,
            "{id}: {left} and {started} more: {}",
            serde_json::to_string(world).expect("a world serialises")
        );
    }
    for (id, node) in &world.nodes {
        let here: Vec<_> = starts.iter().filter(|start| start.node() == Some(id)).collect();
        assert!(here.is_empty() || node.health == Health::Up, "{id} is {:?} and gets work", node.health);
        let pace = limits.starts_per_node.saturating_sub(node.starting);
        assert!(here.len() as u32 <= pace, "{id} gets {} starts, {pace} are allowed", here.len());
        let memory: u64 = here.iter().map(|start| u64::from(start.resources.memory_mb) + 64).sum();
        assert!(memory == 0 || node.memory_used_mb + memory <= node.memory_mb, "{id} is oversubscribed");
    }
    for (id, tenant) in &world.tenants {
        let more = starts.iter().filter(|start| start.tenant == *id).count() as u32;
        let most = tenant.instances_max.unwrap_or(u32::MAX);
        assert!(more == 0 || tenant.instances_used + more <= most, "{id} gets {more} more");
    }
}
