//! How pools that are not enabled let go. Members that a sandbox holds are never touched.

use super::sheet::Sheet;
use super::{Action, Plan, retire};
use crate::instance::{End, State};
use crate::limits::Limits;
use crate::warm_pool::PoolState;
use crate::world::World;

/// Draining and deleted pools let everything go that no sandbox holds, at a bounded pace.
pub(super) fn release(sheet: &mut Sheet<'_>, plan: &mut Plan) {
    // What is not ready yet first: it costs the most and is worth the least.
    let rows =
        [&sheet.warming_old, &sheet.warming, &sheet.outdated, &sheet.stale, &sheet.old, &sheet.ready, &sheet.silent];
    let members: Vec<_> = rows.into_iter().flatten().copied().collect();
    for member in &members {
        if !sheet.release(member, End::Released, plan) {
            break;
        }
    }
    if !members.is_empty() {
        plan.note(sheet, format!("lets go of {} members that are not taken", members.len()));
    }
}

/// A disabled pool keeps what it has until it goes stale: a short pause costs nothing, a long one ends
/// with an empty pool.
pub(super) fn disabled(world: &World, limits: &Limits, sheet: &mut Sheet<'_>, plan: &mut Plan) {
    retire::overdue_starts(world, limits, sheet, plan);
    for member in sheet.stale.clone() {
        if !sheet.release(member, End::Expired, plan) {
            break;
        }
    }
    plan.note(sheet, format!("is disabled: keeps {} members until they go stale", sheet.held()));
}

/// Says so once, when the last machine of a draining or deleted pool is gone.
pub(super) fn finished(sheet: &Sheet<'_>, plan: &mut Plan) {
    let pool = &sheet.view.pool;
    let ends = matches!(pool.state, PoolState::Draining | PoolState::Deleted) && pool.drained_at.is_none();
    let is_over = |state: &State| matches!(state, State::Gone { .. } | State::Bound { .. });
    if ends && sheet.view.instances.values().all(|member| is_over(&member.state)) {
        plan.actions.push(Action::Drained { pool: pool.id.clone(), revision: pool.revision });
    }
}
