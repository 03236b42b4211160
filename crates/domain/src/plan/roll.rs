//! Which build a pool fills: rolling to what its tag points at, cutting over, and giving up a build
//! that does not work.
//!
//! ```text
//! tag moves ─▶ new generation ─▶ first member ready ─▶ cut over: older ready members drain
//!                    └─ none within the deadline, or too many failures ─▶ the previous build again,
//!                       until the tag moves (or `reconcile` or `update` forgets that it was given up)
//! ```

use super::sheet::Sheet;
use super::{Action, Plan};
use crate::Timestamp;
use crate::instance::{End, Instance, State};
use crate::limits::Limits;
use crate::warm_pool::{Generation, PoolState, VersionPolicy, WarmPool, later};
use crate::world::{Health, PoolView, Resolved, World};

/// The pool's row as the plan leaves it.
pub(super) struct Course {
    pub pool: WarmPool,
    /// It fills another build from now on. Nothing is started before that is committed.
    pub has_rolled: bool,
    pub has_cut_over: bool,
}

/// Where the pool goes from here. Only an enabled pool moves.
pub(super) fn course(world: &World, limits: &Limits, view: &PoolView) -> Course {
    let mut course = Course { pool: view.pool.clone(), has_rolled: false, has_cut_over: false };
    if view.pool.state != PoolState::Enabled {
        return course;
    }
    if course.pool.current.cut_over_at.is_none() && works(world, view) {
        course.pool.current.cut_over_at = Some(world.now);
        course.has_cut_over = true;
    }
    let VersionPolicy::TrackTag { .. } = view.pool.version_policy else { return course };
    let Some(wanted) = &view.wanted else { return course };
    if !is_build(&view.pool.current, wanted) {
        if !is_given_up(&view.pool, wanted) {
            course.pool.roll(wanted, world.now);
            course.has_rolled = true;
        }
    } else if view.pool.abandoned.is_some() {
        // The tag came back to what the pool had fallen back to: nothing is wrong any more.
        course.pool.abandoned = None;
        course.has_rolled = true;
    } else if let Some(fallback) = fallback(world, limits, view, &course.pool) {
        fall_back(world, &mut course.pool, &fallback);
        course.has_rolled = true;
    }
    course
}

/// Whether a member of the current build has shown that it becomes ready.
fn works(world: &World, view: &PoolView) -> bool {
    let up = |node| world.nodes.get(node).is_some_and(|node| node.health == Health::Up);
    view.instances.values().filter(|member| view.pool.makes(member)).any(|member| match &member.state {
        State::Ready { node, since } => up(node) && world.now < view.pool.stale_at(*since),
        // Taken before anyone looked. Of the same generation, or it shows nothing about this one.
        State::Bound { .. } => member.generation == view.pool.current.number,
        _ => false,
    })
}

fn is_build(generation: &Generation, wanted: &Resolved) -> bool {
    generation.build == wanted.build && generation.artifact == wanted.artifact
}

/// Whether the wanted build was tried and given up.
pub(super) fn is_given_up(pool: &WarmPool, wanted: &Resolved) -> bool {
    pool.previous.as_ref().is_some_and(|tried| pool.abandoned == Some(tried.number) && is_build(tried, wanted))
}

/// The generation to fill again, when the current one has had its chance.
fn fallback(world: &World, limits: &Limits, view: &PoolView, pool: &WarmPool) -> Option<Generation> {
    let current = &pool.current;
    let previous = pool.previous.as_ref()?;
    let is_another = previous.build != current.build && previous.template == current.template;
    if current.cut_over_at.is_some() || previous.cut_over_at.is_none() || !is_another {
        return None;
    }
    let is_over = pool.failures_in_a_row >= limits.pool_failures_max
        || deadline(limits, view).is_some_and(|deadline| world.now >= deadline);
    is_over.then(|| previous.clone())
}

/// When the current generation is given up, if nothing of it is ready by then. None before it was
/// tried: a pool that had no room to try, or was disabled, has no evidence against the build.
pub(super) fn deadline(limits: &Limits, view: &PoolView) -> Option<Timestamp> {
    let current = &view.pool.current;
    let was_tried = |member: &&Instance| {
        let has_failed = matches!(member.state, State::Gone { why: End::Failed, .. });
        member.generation == current.number && (has_failed || member.is_warming())
    };
    let first = view.instances.values().filter(was_tried).map(|member| member.created_at).min()?;
    let since = view.pool.enabled_at.map_or(first, |enabled| enabled.max(first));
    Some(later(since, limits.rollout_progress_deadline))
}

/// A generation of its own: numbers never go back.
fn fall_back(world: &World, pool: &mut WarmPool, to: &Generation) {
    let number = pool.current.number + 1;
    // It has worked before, and what is left of it is handed out without a break.
    let next = Generation { number, started_at: world.now, cut_over_at: Some(world.now), ..to.clone() };
    let given_up = std::mem::replace(&mut pool.current, next);
    pool.abandoned = Some(given_up.number);
    pool.previous = Some(given_up);
    pool.failures_in_a_row = 0;
}

/// Commits to the new build, and stops at once what was being made of another.
pub(super) fn begin(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    for member in sheet.warming_old.clone() {
        sheet.stop(member, End::Released, plan);
    }
    let (before, pool) = (&sheet.view.pool, sheet.pool());
    plan.actions.push(Action::Roll {
        pool: pool.id.clone(),
        current: pool.current.clone(),
        previous: pool.previous.clone(),
        abandoned: pool.abandoned,
        revision: before.revision,
    });
    let text = match pool.abandoned {
        Some(given_up) => format!("gives up generation {given_up} and fills {} again", pool.current.build),
        None => format!("fills {} from now on, as generation {}", pool.current.build, pool.current.number),
    };
    plan.note(sheet, text);
}

/// Remembers that older ready members are not handed out any more.
pub(super) fn cut_over(sheet: &Sheet<'_>, plan: &mut Plan) {
    if sheet.course.has_cut_over && !sheet.course.has_rolled {
        let pool = sheet.pool();
        let generation = pool.current.number;
        plan.actions.push(Action::CutOver { pool: pool.id.clone(), generation, revision: sheet.view.pool.revision });
    }
}
