//! When a pool must be looked at again though nothing was reported. Reports wake it at once.

use super::capacity::Blocked;
use super::sheet::{Sheet, ageing_at, count, ready_since};
use super::{Plan, retire, roll};
use crate::instance::State;
use crate::limits::{Limits, RELEASE_PACE, RETRY_BUSY, RETRY_FULL};
use crate::warm_pool::{PoolState, later};
use crate::world::World;

pub(super) fn pool(world: &World, limits: &Limits, sheet: &Sheet<'_>, plan: &mut Plan) {
    let pool = sheet.pool();
    let now = world.now;
    let mut moments = Vec::new();
    if sheet.course.has_rolled {
        moments.push(now);
    }
    if sheet.releases_left == 0 {
        moments.push(later(now, RELEASE_PACE));
    }
    match &sheet.blocked {
        Some(Blocked::Busy) => moments.push(later(now, RETRY_BUSY)),
        Some(_) => moments.push(later(now, RETRY_FULL)),
        None => {}
    }
    // Only what lies ahead: what was due has been decided above, or waits for something else.
    let mut ahead = Vec::new();
    for member in sheet.ready.iter().chain(&sheet.old).chain(&sheet.silent).filter(|member| member.is_ready()) {
        ahead.push(ageing_at(pool, member));
        ahead.push(pool.stale_at(ready_since(member)));
    }
    for member in &sheet.warming {
        if let State::Starting { since, .. } = &member.state {
            ahead.push(later(*since, limits.start_deadline));
        }
    }
    if pool.state == PoolState::Enabled {
        if count(sheet.ready.len()) > pool.min_ready {
            ahead.push(retire::idle_at(sheet.view));
        }
        if pool.current.cut_over_at.is_none() {
            ahead.extend(roll::deadline(limits, sheet.view));
        }
    }
    moments.extend(ahead.into_iter().filter(|moment| *moment > now));
    if let Some(next) = moments.into_iter().min() {
        plan.wake.push((pool.id.clone(), next));
    }
}
