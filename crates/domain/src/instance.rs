//! An instance is a machine on a node. It belongs to its pool until it is bound to a sandbox, and
//! never goes back.
//!
//! ```text
//! Requested ─▶ Starting ─▶ Ready ─▶ Bound ─▶ Stopping ─▶ Gone
//!     │            │ └──────────────▲  │        ▲          ▲
//!     │            └─ (a cold create is bound as soon as it is ready)
//!     └────────────┴────── stop ───────────────┘          │
//!                  └────── failed, lost ───────────────────┘
//! ```
//!
//! The row is inserted, and counted against `max_ready` and quota, before anything exists on a
//! node. States only go forward.

use crate::{
    ArtifactId, BuildId, InstanceId, NodeId, Resources, SandboxId, TemplateId, TenantId, Timestamp, WarmPoolId,
};
use serde::{Deserialize, Serialize};

/// One machine's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    pub tenant: TenantId,
    /// The pool it was made for; none for a cold create.
    pub pool: Option<WarmPoolId>,
    /// The pool's rollout generation it was made for.
    pub generation: u32,
    pub template: TemplateId,
    pub build: BuildId,
    pub artifact: ArtifactId,
    pub resources: Resources,
    pub internet_access: bool,
    /// A cold create names its sandbox from the start: nobody else may take the machine.
    pub reserved_for: Option<SandboxId>,
    pub state: State,
    pub created_at: Timestamp,
    /// Counts changes. A decision made on an older revision is not carried out.
    pub revision: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// A row and a promise; nothing on any node.
    Requested,
    /// The node was told to make it.
    Starting { node: NodeId, since: Timestamp },
    /// Unique, answered, paused: can be handed out.
    Ready { node: NodeId, since: Timestamp },
    /// A sandbox holds it.
    Bound { node: NodeId, to: SandboxId, since: Timestamp },
    /// The node was told to end it, or will be.
    Stopping { node: Option<NodeId>, since: Timestamp, why: End },
    /// Nothing of it is left on any node.
    Gone { at: Timestamp, why: End },
}

/// Why an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its pool let it go: drained, trimmed, or of an older generation.
    Released,
    /// Its sandbox was killed or reached its timeout.
    Finished,
    /// It was ready longer than `stale_after_seconds`.
    Expired,
    /// It could not be started or made ready.
    Failed,
    /// Its process or host is gone.
    Lost,
}

/// What happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Placed {
        node: NodeId,
    },
    BecameReady,
    Bind {
        to: SandboxId,
    },
    Stop {
        why: End,
    },
    /// The node says it is not there any more, or never came up.
    Ended {
        why: End,
    },
}

/// A change that the state machine does not allow: a value, not a surprise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("instance `{id}` cannot take {event:?} in state {from:?}")]
pub struct IllegalMove {
    pub id: InstanceId,
    pub from: Box<State>,
    pub event: Box<Event>,
}

impl Instance {
    /// The only way an instance changes state.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Result<(), IllegalMove> {
        use State::*;
        self.state = match (self.state.clone(), event) {
            (Requested, Event::Placed { node }) => Starting { node, since: now },
            (Starting { node, .. }, Event::BecameReady) => match &self.reserved_for {
                Some(to) => Bound { node, to: to.clone(), since: now },
                None => Ready { node, since: now },
            },
            (Ready { node, .. }, Event::Bind { to }) => Bound { node, to, since: now },
            (Requested, Event::Stop { why }) => Gone { at: now, why },
            (Starting { node, .. } | Ready { node, .. } | Bound { node, .. }, Event::Stop { why }) => {
                Stopping { node: Some(node), since: now, why }
            }
            // The first reason stays: a drained member whose process then dies was still released.
            (Stopping { why, .. }, Event::Ended { .. }) => Gone { at: now, why },
            (Requested | Starting { .. } | Ready { .. } | Bound { .. }, Event::Ended { why }) => Gone { at: now, why },
            (from, event) => {
                return Err(IllegalMove { id: self.id.clone(), from: Box::new(from), event: Box::new(event) });
            }
        };
        self.revision += 1;
        Ok(())
    }

    pub fn node(&self) -> Option<&NodeId> {
        match &self.state {
            State::Requested | State::Gone { .. } => None,
            State::Starting { node, .. } | State::Ready { node, .. } | State::Bound { node, .. } => Some(node),
            State::Stopping { node, .. } => node.as_ref(),
        }
    }

    /// Requested or being made: counts as warming.
    pub fn is_warming(&self) -> bool {
        matches!(self.state, State::Requested | State::Starting { .. })
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. })
    }

    pub fn is_bound(&self) -> bool {
        matches!(self.state, State::Bound { .. })
    }

    pub fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping { .. })
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone { .. })
    }

    /// Whether it occupies memory and disk on a node, as far as anyone knows.
    pub fn holds_capacity(&self) -> bool {
        !self.is_gone()
    }
}
