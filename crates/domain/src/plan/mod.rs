//! Decides what to do next. Reads nothing but its arguments.
//!
//! An action leaves nothing to decide: the id, the node and the revision it saw are in it. The shell
//! commits each action if its revision still holds, then tells the node.

use crate::instance::{End, Instance};
use crate::limits::Limits;
use crate::warm_pool::{Degraded, Generation};
use crate::world::World;
use crate::{Ids, InstanceId, NodeId, Timestamp, WarmPoolId};
use serde::{Deserialize, Serialize};

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

/// A sentence about a pool that a person can read in `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub pool: WarmPoolId,
    pub text: String,
}

/// Decides what to do next.
pub fn plan(_world: &World, _limits: &Limits, _ids: &mut Ids) -> Plan {
    Plan::default()
}
