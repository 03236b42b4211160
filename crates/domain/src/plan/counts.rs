//! The published counts: always a recount of the rows (spec warm-pools §7.3, §8.2).

use crate::NodeId;
use crate::Timestamp;
use crate::instance::{End, Instance, State};
use crate::warm_pool::{Counts, PoolState, later};
use crate::world::{Health, Node, PoolView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many members the pool should have ready now: its own minimum, and one for each create that waits.
pub fn target(view: &PoolView) -> u32 {
    match view.pool.state {
        PoolState::Enabled => view.pool.min_ready.saturating_add(view.waiters).min(view.pool.max_ready),
        PoolState::Disabled | PoolState::Draining | PoolState::Deleted => 0,
    }
}

/// Every row of the pool is in at most one of the counts. `ready` can be handed out now (by a disabled
/// pool, once it is enabled); `draining` is what is being let go and not yet gone; `failed`, `expired`
/// and, as far as it is gone, `unavailable` look back over `history`.
pub fn counts(view: &PoolView, nodes: &BTreeMap<NodeId, Node>, now: Timestamp, history: Duration) -> Counts {
    let mut counts = Counts { target: target(view), ..Counts::default() };
    let lets_go = matches!(view.pool.state, PoolState::Draining | PoolState::Deleted);
    for member in view.instances.values() {
        let is_up = member.node().is_none_or(|node| nodes.get(node).is_some_and(|node| node.health == Health::Up));
        let count = match &member.state {
            State::Gone { at, .. } if now > later(*at, history) => continue,
            State::Gone { why: End::Failed, .. } => &mut counts.failed,
            State::Gone { why: End::Expired, .. } => &mut counts.expired,
            State::Gone { why: End::Lost, .. } => &mut counts.unavailable,
            State::Gone { why: End::Released | End::Finished, .. } => continue,
            _ if !is_up => &mut counts.unavailable,
            State::Bound { .. } => &mut counts.claimed,
            // The end of a sandbox is its own business, not the pool's.
            State::Stopping { why: End::Finished, .. } => continue,
            State::Stopping { .. } => &mut counts.draining,
            _ if lets_go => &mut counts.draining,
            State::Requested | State::Starting { .. } => &mut counts.warming,
            State::Ready { since, .. } if view.pool.serves(member) && now < view.pool.stale_at(*since) => {
                &mut counts.ready
            }
            State::Ready { .. } => &mut counts.draining,
        };
        *count += 1;
    }
    counts
}

/// The seven counts of a rollout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutCounts {
    pub ready: u32,
    pub warming: u32,
    pub claimed: u32,
    pub failed: u32,
    pub draining: u32,
    pub released: u32,
    pub other: u32,
}

/// Over the rows of what the pool makes now, and over all its rows.
pub fn rollout_counts(view: &PoolView) -> (RolloutCounts, RolloutCounts) {
    let (mut current, mut all) = (RolloutCounts::default(), RolloutCounts::default());
    for member in view.instances.values() {
        *all.of(member) += 1;
        if view.pool.makes(member) {
            *current.of(member) += 1;
        }
    }
    (current, all)
}

impl RolloutCounts {
    fn of(&mut self, member: &Instance) -> &mut u32 {
        match &member.state {
            State::Requested | State::Starting { .. } => &mut self.warming,
            State::Ready { .. } => &mut self.ready,
            State::Bound { .. } => &mut self.claimed,
            State::Stopping { .. } => &mut self.draining,
            State::Gone { why: End::Failed, .. } => &mut self.failed,
            State::Gone { why: End::Released, .. } => &mut self.released,
            State::Gone { .. } => &mut self.other,
        }
    }
}
