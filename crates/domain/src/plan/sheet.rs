//! A pool's rows, sorted by what they are good for. Rows leave the sheet as the plan stops them, so
//! what is on it is what the pool will have.

use super::roll::Course;
use super::{Action, Plan};
use crate::Timestamp;
use crate::instance::{End, Instance, State};
use crate::limits::Limits;
use crate::warm_pool::{WarmPool, later};
use crate::world::{Health, PoolView, World};

use super::capacity::Blocked;

/// The part of `stale_after` at whose beginning a replacement is made, so that the pool does not run
/// empty when members that became ready together go stale together.
const AGEING_DIVISOR: u32 = 4;

pub(super) struct Sheet<'a> {
    pub view: &'a PoolView,
    /// The pool's row as this plan leaves it.
    pub course: Course,
    pub now: Timestamp,
    /// Being made, of the current build.
    pub warming: Vec<&'a Instance>,
    /// Being made, of a build that is not wanted any more.
    pub warming_old: Vec<&'a Instance>,
    /// Can be handed out, of the current build; longest ready first.
    pub ready: Vec<&'a Instance>,
    /// Can be handed out until the current build cuts over; longest ready first.
    pub old: Vec<&'a Instance>,
    /// Ready, and not handed out any more: another generation has cut over.
    pub outdated: Vec<&'a Instance>,
    /// Ready for longer than `stale_after`.
    pub stale: Vec<&'a Instance>,
    /// Warming or ready, as far as anyone knows: their host does not answer.
    pub silent: Vec<&'a Instance>,
    /// Stopping on a host that answers: their room is free before long.
    pub leaving: u32,
    /// Starts this plan adds.
    pub started: u32,
    /// Releases this plan may still add for this pool.
    pub releases_left: u32,
    /// Why the pool did not get what it is short of.
    pub blocked: Option<Blocked>,
}

impl<'a> Sheet<'a> {
    pub fn new(world: &World, limits: &Limits, view: &'a PoolView, course: Course) -> Self {
        let mut sheet = Self {
            view,
            course,
            now: world.now,
            warming: Vec::new(),
            warming_old: Vec::new(),
            ready: Vec::new(),
            old: Vec::new(),
            outdated: Vec::new(),
            stale: Vec::new(),
            silent: Vec::new(),
            leaving: 0,
            started: 0,
            releases_left: limits.releases_per_tick,
            blocked: None,
        };
        for member in view.instances.values() {
            sheet.file(world, member);
        }
        for ready in [&mut sheet.ready, &mut sheet.old] {
            ready.sort_by_key(|member| (ready_since(member), &member.id));
        }
        sheet
    }

    fn file(&mut self, world: &World, member: &'a Instance) {
        let pool = &self.course.pool;
        let health = member.node().and_then(|node| world.nodes.get(node)).map(|node| node.health);
        match &member.state {
            State::Gone { .. } | State::Bound { .. } => {}
            State::Stopping { .. } if health == Some(Health::Up) => self.leaving += 1,
            State::Stopping { .. } => {}
            _ if health == Some(Health::Dead) => {}
            // A host the world does not list has not said that it is up.
            State::Starting { .. } | State::Ready { .. } if health != Some(Health::Up) => self.silent.push(member),
            State::Requested | State::Starting { .. } if pool.makes(member) => self.warming.push(member),
            State::Requested | State::Starting { .. } => self.warming_old.push(member),
            State::Ready { since, .. } if self.now >= pool.stale_at(*since) => self.stale.push(member),
            State::Ready { .. } if pool.makes(member) => self.ready.push(member),
            State::Ready { .. } if pool.serves(member) => self.old.push(member),
            State::Ready { .. } => self.outdated.push(member),
        }
    }

    pub fn pool(&self) -> &WarmPool {
        &self.course.pool
    }

    /// Everything `max_ready` bounds, whatever it is good for.
    pub fn held(&self) -> u32 {
        let rows = self.warming.len()
            + self.warming_old.len()
            + self.ready.len()
            + self.old.len()
            + self.outdated.len()
            + self.stale.len()
            + self.silent.len();
        count(rows) + self.started
    }

    /// How many more rows `max_ready` allows.
    pub fn room(&self) -> u32 {
        self.pool().max_ready.saturating_sub(self.held())
    }

    /// Members on their way, those this plan starts included.
    pub fn coming(&self) -> u32 {
        count(self.warming.len()) + self.started
    }

    /// What the pool lacks of what it should have ready.
    pub fn shortage(&self) -> u32 {
        super::target(self.view).saturating_sub(count(self.ready.len()) + self.coming())
    }

    /// Ready members that will go stale before long.
    pub fn ageing(&self) -> impl Iterator<Item = &'a Instance> {
        self.ready.iter().copied().filter(|member| self.now >= ageing_at(self.pool(), member))
    }

    /// Stops a member at a bounded pace, and says whether it did.
    pub fn release(&mut self, member: &Instance, why: End, plan: &mut Plan) -> bool {
        if self.releases_left == 0 {
            return false;
        }
        self.releases_left -= 1;
        self.stop(member, why, plan);
        true
    }

    /// Stops a member at once.
    pub fn stop(&mut self, member: &Instance, why: End, plan: &mut Plan) {
        plan.actions.push(Action::Stop {
            instance: member.id.clone(),
            node: member.node().cloned(),
            why,
            revision: member.revision,
        });
        for rows in [
            &mut self.warming,
            &mut self.warming_old,
            &mut self.ready,
            &mut self.old,
            &mut self.outdated,
            &mut self.stale,
            &mut self.silent,
        ] {
            rows.retain(|row| row.id != member.id);
        }
        self.leaving += 1;
    }
}

/// When a ready member's replacement should be made.
pub(super) fn ageing_at(pool: &WarmPool, member: &Instance) -> Timestamp {
    let young = pool.stale_after - pool.stale_after / AGEING_DIVISOR;
    later(ready_since(member), young)
}

/// When a ready member became ready; for any other row, when it was made.
pub(super) fn ready_since(member: &Instance) -> Timestamp {
    match &member.state {
        State::Ready { since, .. } => *since,
        _ => member.created_at,
    }
}

pub(super) fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
