//! Faults and orders in no order at all, and how they stop.

use super::{BUILDS, Simulation, build};
use crate::hosts::Machine;
use jiff::SignedDuration;
use nullspace_domain::instance::{End, Event};
use nullspace_domain::warm_pool::{PoolState, VersionPolicy};
use nullspace_domain::{InstanceId, NodeId, WarmPoolId};

/// Things that go wrong, or are asked for, in one storm.
const EVENTS: u64 = 250;

impl Simulation {
    pub(super) fn storm(&mut self) {
        for _ in 0..EVENTS {
            let pause = match self.store.random.between(0, 19) {
                0 => SignedDuration::from_secs(self.store.random.between(100, 4000) as i64),
                // The clock jumps: everything that was due in between is late.
                1 => {
                    self.store.now += SignedDuration::from_secs(self.store.random.between(100, 4000) as i64);
                    SignedDuration::ZERO
                }
                // Several things at once.
                2..=7 => SignedDuration::ZERO,
                _ => SignedDuration::from_millis(self.store.random.between(1, 20_000) as i64),
            };
            if !pause.is_zero() {
                self.pass(pause, |_| ());
            }
            let pools: Vec<WarmPoolId> = self.store.pools.keys().cloned().collect();
            let pool = self.store.random.pick(&pools).expect("there is a pool");
            match self.store.random.between(0, 99) {
                0..=19 => self.burst(&pool),
                20..=39 => self.end_a_sandbox(),
                40..=54 => self.disturb_a_host(),
                55..=64 => self.kill_a_machine(),
                65..=79 => self.move_the_tag(&pool),
                _ => self.order(&pool),
            }
        }
    }

    fn burst(&mut self, pool: &WarmPoolId) {
        for _ in 0..self.store.random.between(1, 6) {
            self.creates.come(&mut self.store, pool.clone());
        }
    }

    fn end_a_sandbox(&mut self) {
        let bound: Vec<InstanceId> =
            self.store.instances.values().filter(|row| row.is_bound()).map(|row| row.id.clone()).collect();
        let Some(id) = self.store.random.pick(&bound) else { return };
        let node = self.store.instances[&id].node().expect("bound somewhere").clone();
        self.store.move_instance(&id, Event::Stop { why: End::Finished });
        self.fleet.order_stop(&mut self.store, node, id);
    }

    fn disturb_a_host(&mut self) {
        let nodes: Vec<NodeId> = self.fleet.hosts.keys().cloned().collect();
        let node = self.store.random.pick(&nodes).expect("there is a host");
        let now = self.store.now;
        let host = self.fleet.hosts.get_mut(&node).expect("known");
        host.cut_since = match host.cut_since {
            Some(_) => None,
            None => Some(now),
        };
        let is_cut = host.cut_since.is_some();
        // The last one is never given up: an installation without hosts has no goal.
        let others_up = nodes.iter().any(|other| *other != node && self.fleet.is_reachable(other) && self.is_up(other));
        if is_cut && !others_up {
            self.fleet.hosts.get_mut(&node).expect("known").cut_since = None;
        }
        self.store.tell(format!("{node} cut {is_cut}"));
    }

    pub(super) fn is_up(&self, node: &NodeId) -> bool {
        self.store.hosts[node].health == nullspace_domain::world::Health::Up
    }

    fn kill_a_machine(&mut self) {
        let running = |(node, host): (&NodeId, &crate::hosts::Host)| {
            let machines = host.machines.iter().filter(|(_, machine)| **machine == Machine::Running);
            machines.map(|(id, _)| (node.clone(), id.clone())).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.fleet.hosts.iter().flat_map(running).collect();
        let Some((node, id)) = self.store.random.pick(&all) else { return };
        self.fleet.hosts.get_mut(&node).expect("known").machines.insert(id.clone(), Machine::Dead);
        self.store.tell(format!("{id} died on {node}"));
        if self.store.random.chance(50) {
            self.fleet.report(&mut self.store, &node, &id);
        }
    }

    /// Only pools that follow a tag; sometimes the tag is taken away.
    fn move_the_tag(&mut self, pool: &WarmPoolId) {
        if let VersionPolicy::PinnedBuild = self.store.pools[pool].row.version_policy {
            return;
        }
        let to = self.store.random.size(0, BUILDS);
        self.store.pools.get_mut(pool).expect("known").tag = (to > 0).then(|| build(to));
        self.store.due.insert(pool.clone());
        self.store.tell(format!("{pool} follows b{to}"));
    }

    /// Something its owner wants.
    fn order(&mut self, pool: &WarmPoolId) {
        let now = self.store.now;
        let (what, min, extra) =
            (self.store.random.between(0, 9), self.store.random.size(0, 4), self.store.random.size(0, 3));
        if self.store.pools[pool].row.state == PoolState::Deleted {
            return;
        }
        self.store.change_pool(pool, |row| match what {
            0..=3 => {
                row.min_ready = min;
                row.max_ready = (min + extra).max(1);
            }
            4 => row.state = PoolState::Disabled,
            5 => {
                row.state = PoolState::Draining;
                row.drained_at = None;
            }
            6 if extra == 0 => row.state = PoolState::Deleted,
            7 => {
                row.failures_in_a_row = 0;
                row.abandoned = None;
            }
            _ => {
                row.state = PoolState::Enabled;
                row.enabled_at = Some(now);
                row.drained_at = None;
                row.failures_in_a_row = 0;
            }
        });
        let row = &self.store.pools[pool].row;
        let line = format!("{pool} is {:?} with {} to {}", row.state, row.min_ready, row.max_ready);
        self.store.tell(line);
    }

    /// The faults stop. Hosts that are cut are switched off for good, or come back.
    pub(super) fn calm(&mut self) {
        self.fleet.failures_percent = 0;
        self.fleet.loss_percent = 0;
        self.late_percent = 0;
        for node in self.fleet.hosts.keys().cloned().collect::<Vec<_>>() {
            let stays_off = self.store.random.chance(50);
            let host = self.fleet.hosts.get_mut(&node).expect("known");
            if host.cut_since.is_some() {
                match stays_off {
                    true => host.is_off = true,
                    false => host.cut_since = None,
                }
            }
        }
        for pool in self.store.pools.keys().cloned().collect::<Vec<_>>() {
            let tag = &mut self.store.pools.get_mut(&pool).expect("known").tag;
            tag.get_or_insert_with(|| build(1));
            // Somebody looks after the pools that had given up.
            self.store.change_pool(&pool, |row| {
                row.failures_in_a_row = 0;
                row.abandoned = None;
            });
        }
        self.store.tell("the faults stop".into());
    }
}
