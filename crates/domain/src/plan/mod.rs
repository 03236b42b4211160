//! Decides what to do next. Reads nothing but its arguments.
//!
//! An action leaves nothing to decide: the id, the node and the revision it saw are in it. The shell
//! commits each action if its revision still holds, then tells the node. All actions of one plan saw
//! the same world; where an earlier one has changed a row under a later one, the later one is simply
//! not carried out, and the next tick sees the world as it is. Where more than one loop plans, the
//! transaction of a start counts again what it is bounded by: `max_ready`, quota and the host's memory.
//! Actions stand in the order in which
//! that costs least: what makes room, what fills it, what is only remembered.
//!
//! | file | decides |
//! |---|---|
//! | `roll` | which build a pool fills, when it has cut over, when a build is given up |
//! | `sheet` | what each row of a pool is good for |
//! | `drain` | how draining, deleted and disabled pools let go |
//! | `retire` | which members an enabled pool lets go: lost, overdue, old, stale, surplus |
//! | `fill` | who may start what, fairly, and what has to go first |
//! | `capacity` | whether there is a host and quota for it |
//! | `degrade` | why a pool is not what it should be |
//! | `wake` | when to look again |
//! | `counts` | the published counts |

mod capacity;
mod counts;
mod degrade;
mod drain;
mod fill;
mod retire;
mod roll;
mod sheet;
#[cfg(test)]
mod tests;
mod wake;

pub use counts::{RolloutCounts, counts, rollout_counts, target};

use crate::instance::{End, Instance};
use crate::limits::Limits;
use crate::warm_pool::{Degraded, Generation, PoolState};
use crate::world::World;
use crate::{Ids, InstanceId, NodeId, Timestamp, WarmPoolId};
use serde::{Deserialize, Serialize};
use sheet::Sheet;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Insert this row (in `Starting` on its node), then tell the node to make it.
    Start { instance: Box<Instance>, pool_revision: u64 },
    /// Move to `Stopping`, then tell the node to end it.
    Stop { instance: InstanceId, node: Option<NodeId>, why: End, revision: u64 },
    /// The node it is on is dead for good: nothing to tell anyone. A sandbox bound to it ends `error`.
    Forget { instance: InstanceId, why: End, revision: u64 },
    /// Start filling another build, or give one up. Forgets the failures counted so far.
    Roll { pool: WarmPoolId, current: Generation, previous: Option<Generation>, abandoned: Option<u32>, revision: u64 },
    /// The first member of the current generation is ready: older ready ones are not handed out any more.
    CutOver { pool: WarmPoolId, generation: u32, revision: u64 },
    /// Say why the pool is not what it should be; none when it is.
    Degrade { pool: WarmPoolId, degraded: Option<Degraded>, revision: u64 },
    /// Every member of a deleted or draining pool is gone: set `drained_at`.
    Drained { pool: WarmPoolId, revision: u64 },
}

/// What to do, what could not be done and why, and when to look again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub actions: Vec<Action>,
    pub notes: Vec<Note>,
    /// The next moment at which something changes by itself, per pool.
    pub wake: Vec<(WarmPoolId, Timestamp)>,
}

impl Plan {
    fn note(&mut self, sheet: &Sheet<'_>, text: String) {
        self.notes.push(Note { pool: sheet.view.pool.id.clone(), text });
    }
}

/// A sentence about a pool that a person can read in `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub pool: WarmPoolId,
    pub text: String,
}

/// Decides what to do next.
pub fn plan(world: &World, limits: &Limits, ids: &mut Ids) -> Plan {
    let mut plan = Plan::default();
    if !limits.controller_enabled {
        degrade::controller_disabled(world, &mut plan);
        return plan;
    }
    let mut sheets = Vec::new();
    for view in world.pools.values() {
        retire::lost(world, view, &mut plan);
        let course = roll::course(world, limits, view);
        let mut sheet = Sheet::new(world, limits, view, course);
        match view.pool.state {
            PoolState::Enabled if sheet.course.has_rolled => roll::begin(&mut sheet, &mut plan),
            PoolState::Enabled => retire::members(world, limits, &mut sheet, &mut plan),
            PoolState::Disabled => drain::disabled(world, limits, &mut sheet, &mut plan),
            PoolState::Draining | PoolState::Deleted => drain::release(&mut sheet, &mut plan),
        }
        sheets.push(sheet);
    }
    fill::pools(world, limits, ids, &mut sheets, &mut plan);
    for sheet in &sheets {
        roll::cut_over(sheet, &mut plan);
        drain::finished(sheet, &mut plan);
        degrade::pool(world, limits, sheet, &mut plan);
        wake::pool(world, limits, sheet, &mut plan);
    }
    plan
}
