//! The dull shell: plans what is due on the world as it was, commits it later, on the world as it is.

use crate::checker;
use crate::hosts::Fleet;
use crate::store::Store;
use nullspace_domain::instance::{Event, Instance};
use nullspace_domain::limits::MEMORY_OVERHEAD_MB;
use nullspace_domain::plan::{Action, Plan, plan};
use nullspace_domain::warm_pool::WarmPool;
use nullspace_domain::{Ids, InstanceId, Timestamp, WarmPoolId};
use std::collections::BTreeSet;

/// One of the loops that plan; their plans can be late.
pub struct Controller {
    ids: Ids,
    late: Option<(Timestamp, Plan)>,
}

impl Controller {
    pub fn new(seed: u64) -> Self {
        Self { ids: Ids::from_seed(u128::from(seed)), late: None }
    }

    /// When it has something to do, if it has.
    pub fn next(&self) -> Option<Timestamp> {
        self.late.as_ref().map(|(when, _)| *when)
    }

    /// Commits what it planned before, or plans what is due.
    pub fn step(&mut self, store: &mut Store, fleet: &mut Fleet, delay_ms: u64) {
        match self.late.take() {
            Some((when, plan)) if when <= store.now => commit(store, fleet, plan),
            Some(late) => self.late = Some(late),
            None => {
                let due = take_due(store);
                if due.is_empty() {
                    return;
                }
                let world = store.world(&due);
                let planned = plan(&world, &store.limits, &mut self.ids);
                checker::plan(&world, &store.limits, &planned);
                for (pool, moment) in &planned.wake {
                    store.wakes.insert(pool.clone(), *moment);
                }
                match delay_ms {
                    0 => commit(store, fleet, planned),
                    _ => self.late = Some((store.now + jiff::SignedDuration::from_millis(delay_ms as i64), planned)),
                }
            }
        }
    }
}

fn take_due(store: &mut Store) -> BTreeSet<WarmPoolId> {
    let now = store.now;
    let mut due = std::mem::take(&mut store.due);
    due.extend(store.wakes.iter().filter(|(_, moment)| **moment <= now).map(|(pool, _)| pool.clone()));
    for pool in &due {
        store.wakes.remove(pool);
    }
    due
}

fn commit(store: &mut Store, fleet: &mut Fleet, plan: Plan) {
    for action in plan.actions {
        one(store, fleet, action);
    }
}

fn one(store: &mut Store, fleet: &mut Fleet, action: Action) {
    match action {
        Action::Start { instance, pool_revision } => {
            let pool = instance.pool.clone().expect("only pools are planned");
            if store.pools[&pool].row.revision == pool_revision && has_room(store, &pool, &instance) {
                let (id, node) = (instance.id.clone(), instance.node().expect("placed").clone());
                store.tell(format!("{id}: started for {pool} as {} on {node}", instance.build));
                store.insert_instance(*instance);
                fleet.order_start(store, node, id);
            } else {
                store.due.insert(pool);
            }
        }
        Action::Stop { instance, node, why, revision } => {
            if is_unchanged(store, &instance, revision) {
                store.move_instance(&instance, Event::Stop { why });
                if let Some(node) = node {
                    fleet.order_stop(store, node, instance);
                }
            }
        }
        Action::Forget { instance, why, revision } => {
            if is_unchanged(store, &instance, revision) {
                store.move_instance(&instance, Event::Ended { why });
            }
        }
        Action::Roll { pool, current, previous, abandoned, revision } => {
            update(store, &pool, revision, |pool| {
                pool.current = current;
                pool.previous = previous;
                pool.abandoned = abandoned;
                pool.failures_in_a_row = 0;
            });
        }
        Action::CutOver { pool, generation, revision } => {
            let now = store.now;
            update(store, &pool, revision, |pool| {
                assert_eq!(pool.current.number, generation, "the revision holds");
                pool.current.cut_over_at = Some(now);
            });
        }
        Action::Degrade { pool, degraded, revision } => update(store, &pool, revision, |pool| pool.degraded = degraded),
        Action::Drained { pool, revision } => {
            let now = store.now;
            update(store, &pool, revision, |pool| pool.drained_at = Some(now));
        }
    }
}

/// Counted again inside the transaction: another loop may have started something since.
fn has_room(store: &Store, pool: &WarmPoolId, instance: &Instance) -> bool {
    let node = instance.node().expect("placed");
    let memory = u64::from(instance.resources.memory_mb + MEMORY_OVERHEAD_MB);
    let quota = store.quota.get(&instance.tenant).is_none_or(|most| store.machines_of(&instance.tenant) < *most);
    store.held(pool) < store.pools[pool].row.max_ready
        && store.memory_used(node) + memory <= store.hosts[node].memory_mb
        && quota
}

fn is_unchanged(store: &Store, id: &InstanceId, revision: u64) -> bool {
    store.instances.get(id).is_some_and(|row| row.revision == revision)
}

fn update(store: &mut Store, id: &WarmPoolId, revision: u64, change: impl FnOnce(&mut WarmPool)) {
    if store.pools[id].row.revision == revision {
        store.change_pool(id, change);
        let row = &store.pools[id].row;
        let (build, cut) = (&row.current.build, row.current.cut_over_at.is_some());
        let degraded = row.degraded.as_ref().map(|degraded| degraded.reason);
        let line = format!("{id}: generation {} of {build}, cut over {cut}, {degraded:?}", row.current.number);
        store.tell(line);
    }
    store.due.insert(id.clone());
}
