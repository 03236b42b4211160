//! What must be true when it has been quiet for long enough.

use super::{MEMBER_MB, Simulation};
use crate::hosts::Quality;
use jiff::SignedDuration;
use nullspace_domain::instance::State;
use nullspace_domain::warm_pool::{DegradedReason, PoolState};
use nullspace_domain::{InstanceId, NodeId, WarmPoolId};
use std::collections::{BTreeMap, BTreeSet};

/// Longer than every deadline in here, one after the other.
const SETTLING: SignedDuration = SignedDuration::from_mins(60);
/// Long enough to see members go stale and be replaced.
const WATCHING: SignedDuration = SignedDuration::from_mins(60);

/// What was seen of a pool while watching.
#[derive(Default)]
struct Watched {
    most_ready: u32,
    least_ready: Option<u32>,
    /// There was room for one more, whenever anyone looked.
    has_always_room: Option<bool>,
}

impl Simulation {
    pub(super) fn reach_the_goal(&mut self) {
        self.pass(SETTLING, |_| ());
        assert!(self.creates.is_idle(), "a wait has not ended");
        let before: BTreeSet<InstanceId> = self.store.instances.keys().cloned().collect();
        let mut started = BTreeSet::new();
        let mut watched: BTreeMap<WarmPoolId, Watched> = BTreeMap::new();
        let mut changes = 0;
        self.pass(WATCHING, |simulation| {
            if std::mem::replace(&mut changes, simulation.store.changes) == simulation.store.changes {
                return;
            }
            started.extend(simulation.store.instances.keys().filter(|id| !before.contains(id)).cloned());
            for pool in simulation.store.pools.keys() {
                let (ready, has_room) = (simulation.ready(pool), simulation.has_room(pool));
                let seen = watched.entry(pool.clone()).or_default();
                seen.most_ready = seen.most_ready.max(ready);
                seen.least_ready = Some(seen.least_ready.map_or(ready, |least| least.min(ready)));
                seen.has_always_room = Some(seen.has_always_room.unwrap_or(true) && has_room);
            }
        });
        for (pool, seen) in &watched {
            match self.store.pools[pool].row.state {
                PoolState::Enabled => self.enabled(pool, seen),
                PoolState::Disabled => {
                    assert_eq!(self.store.held(pool), 0, "{pool} is disabled and its members are stale by now");
                }
                PoolState::Draining | PoolState::Deleted => self.drained(pool),
            }
        }
        self.nothing_is_left_over();
        assert!(started.len() < 400, "{} starts in a quiet hour", started.len());
    }

    fn enabled(&self, id: &WarmPoolId, seen: &Watched) {
        let pool = &self.store.pools[id];
        let tag = pool.tag.as_ref().expect("every tag points somewhere by now");
        let quality = |build| self.fleet.builds[build];
        let reason = pool.row.degraded.as_ref().map(|degraded| degraded.reason);
        let target = pool.row.min_ready;
        if target == 0 {
            return;
        }
        // Without room a build was perhaps never tried, and is not given up then.
        let had_room = seen.has_always_room == Some(true);
        let is_wanted = quality(&tag.build) == Quality::Good || pool.row.current.build == tag.build;
        let can_fill = quality(&pool.row.current.build) == Quality::Good;
        if quality(&tag.build) == Quality::Good {
            assert_eq!(pool.row.current.build, tag.build, "{id} fills what its tag points at");
        } else {
            let is_sound = can_fill || !self.checker.has_worked(id) || !had_room;
            assert!(is_sound, "{id} fills a build that does not work: {:?}", pool.row);
        }
        if !is_wanted || !can_fill {
            let says_so = reason == Some(DegradedReason::ArtifactPrewarmFailed);
            assert!(says_so || !had_room, "{id} does not say that its build fails: {reason:?}");
        }
        if !can_fill {
            assert_eq!(seen.most_ready, 0, "{id} has members of a build that does not work");
            return;
        }
        if seen.most_ready < target {
            assert!(!had_room, "{id} is short for an hour, and there is room");
            return;
        }
        let least = seen.least_ready.unwrap_or(0);
        assert!(target < 2 || least > 0 || !had_room, "{id} ran empty");
        if had_room && is_wanted {
            assert!(matches!(reason, None | Some(DegradedReason::NoEligibleHosts)), "{id} is full and {reason:?}");
        }
        assert!(self.ready(id) <= target + 2, "{id} keeps what nobody wants");
    }

    fn drained(&self, id: &WarmPoolId) {
        for row in self.store.rows_of(id) {
            assert!(row.is_gone() || row.is_bound(), "{} of {id} is still {:?}", row.id, row.state);
        }
        assert!(self.store.pools[id].row.drained_at.is_some(), "{id} does not say that it is drained");
    }

    /// Every machine has its row, and every row its machine.
    fn nothing_is_left_over(&self) {
        for (node, host) in self.fleet.hosts.iter().filter(|(node, _)| self.fleet.is_reachable(node)) {
            for id in host.machines.keys() {
                let row = self.store.instances.get(id);
                assert!(row.is_some_and(|row| row.node() == Some(node)), "{id} runs on {node} without a row");
            }
        }
        for row in self.store.instances.values().filter(|row| row.is_ready() || row.is_bound()) {
            let node = row.node().expect("on a host");
            assert!(self.fleet.is_alive(node, &row.id), "{} has a row and no machine", row.id);
        }
    }

    /// Members of what the pool fills that could be handed out.
    fn ready(&self, id: &WarmPoolId) -> u32 {
        let pool = &self.store.pools[id].row;
        let can_be_had = |state: &State| match state {
            State::Ready { since, .. } => {
                (self.store.now.as_second() - since.as_second()) < pool.stale_after.as_secs() as i64
            }
            _ => false,
        };
        let rows = self.store.rows_of(id).filter(|row| row.build == pool.current.build);
        rows.filter(|row| can_be_had(&row.state)).count() as u32
    }

    /// Whether one more member would fit somewhere, now.
    fn has_room(&self, id: &WarmPoolId) -> bool {
        let tenant = &self.store.pools[id].row.tenant;
        let fits = |node: &NodeId| {
            self.is_up(node) && self.store.memory_used(node) + MEMBER_MB <= self.store.hosts[node].memory_mb
        };
        self.store.machines_of(tenant) < self.store.quota[tenant] && self.store.hosts.keys().any(fits)
    }
}
