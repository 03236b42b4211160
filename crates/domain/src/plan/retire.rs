//! Which members an enabled pool lets go, and why.

use super::sheet::{Sheet, count};
use super::{Action, Plan};
use crate::Timestamp;
use crate::instance::{End, State};
use crate::limits::Limits;
use crate::warm_pool::later;
use crate::world::{Health, PoolView, World};

/// Rows on a host that is dead for good, whoever holds them: nothing of them is left anywhere.
pub(super) fn lost(world: &World, view: &PoolView, plan: &mut Plan) {
    let is_dead = |node| world.nodes.get(node).is_some_and(|node| node.health == Health::Dead);
    for member in view.instances.values().filter(|member| member.node().is_some_and(is_dead)) {
        plan.actions.push(Action::Forget { instance: member.id.clone(), why: End::Lost, revision: member.revision });
    }
}

/// Everything that is too old, too slow, too many or of the wrong build.
pub(super) fn members(world: &World, limits: &Limits, sheet: &mut Sheet<'_>, plan: &mut Plan) {
    unwanted_starts(sheet, plan);
    overdue_starts(world, limits, sheet, plan);
    stale(sheet, plan);
    outdated(sheet, plan);
    above_max(sheet, plan);
    old_surplus(sheet, plan);
    replaced(sheet, plan);
    idle_surplus(world, sheet, plan);
}

/// Filling a build ends at once when another is wanted.
fn unwanted_starts(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    for member in sheet.warming_old.clone() {
        sheet.stop(member, End::Released, plan);
    }
}

/// A start that has not ended by now never will; without this a host that hangs stalls its pools.
pub(super) fn overdue_starts(world: &World, limits: &Limits, sheet: &mut Sheet<'_>, plan: &mut Plan) {
    for member in sheet.warming.clone() {
        let since = match &member.state {
            State::Starting { since, .. } => *since,
            _ => member.created_at,
        };
        if world.now >= later(since, limits.start_deadline) {
            sheet.stop(member, End::Failed, plan);
        }
    }
}

/// Not handed out any more, so nothing is gained by keeping them.
fn stale(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    for member in sheet.stale.clone() {
        sheet.release(member, End::Expired, plan);
    }
}

fn outdated(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    for member in sheet.outdated.clone() {
        sheet.release(member, End::Released, plan);
    }
}

/// After `max_ready` was lowered: first what is furthest from being useful.
fn above_max(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    let excess = sheet.held().saturating_sub(sheet.pool().max_ready);
    let youngest_first = sheet.warming.iter().rev();
    let rows = sheet.silent.iter().chain(&sheet.old).chain(youngest_first).chain(&sheet.ready);
    let rows: Vec<_> = rows.copied().collect();
    // Those that are leaving at their own pace already count towards the excess.
    let leaving = count(sheet.stale.len() + sheet.outdated.len());
    for member in rows.into_iter().take(excess.saturating_sub(leaving) as usize) {
        sheet.release(member, End::Released, plan);
    }
}

/// While the next build is tried, the old one only has to bridge the gap.
fn old_surplus(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    let bridge = super::target(sheet.view).saturating_sub(count(sheet.ready.len()));
    let surplus = count(sheet.old.len()).saturating_sub(bridge);
    for member in sheet.old.clone().into_iter().take(surplus as usize) {
        sheet.release(member, End::Released, plan);
    }
}

/// Members that will go stale soon and whose replacements are ready.
fn replaced(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    let ageing: Vec<_> = sheet.ageing().collect();
    let fresh = count(sheet.ready.len() - ageing.len());
    if fresh >= super::target(sheet.view) {
        for member in ageing {
            sheet.release(member, End::Expired, plan);
        }
    }
}

/// What is above `min_ready` goes when nobody has wanted it for a while; longest ready first.
fn idle_surplus(world: &World, sheet: &mut Sheet<'_>, plan: &mut Plan) {
    let surplus = count(sheet.ready.len()).saturating_sub(sheet.pool().min_ready);
    if surplus == 0 || sheet.view.waiters > 0 || world.now < idle_at(sheet.view) {
        return;
    }
    for member in sheet.ready.clone().into_iter().take(surplus as usize) {
        sheet.release(member, End::Released, plan);
    }
}

/// When a pool counts as idle: nobody has taken a member, or wanted more than was there, for a while.
pub(super) fn idle_at(view: &PoolView) -> Timestamp {
    let taken = view.instances.values().filter_map(|member| match &member.state {
        State::Bound { since, .. } => Some(*since),
        _ => None,
    });
    let pool = &view.pool;
    let last = [pool.last_demand_at, pool.enabled_at, taken.max()].into_iter().flatten().max();
    later(last.unwrap_or(pool.created_at), pool.idle_timeout)
}
