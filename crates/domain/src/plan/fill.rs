//! Who may start what, in a fair order, and what has to go to make room.
//!
//! One start at a time is given to the tenant with the fewest on their way, of those to the one served
//! longest ago; inside a tenant to its emptiest pool. Nobody waits for a timer: a pool that gets
//! nothing is looked at again when there may be room.

use super::capacity::{Blocked, Capacity};
use super::sheet::{Sheet, count};
use super::{Action, Plan};
use crate::instance::{End, Event, Instance, State};
use crate::limits::Limits;
use crate::warm_pool::PoolState;
use crate::world::World;
use crate::{Ids, NodeId, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Smaller goes first. Recomputed when it is a pool's turn: it only ever grows.
type Turn = (u32, Option<Timestamp>, u32, Option<Timestamp>);

/// What a tenant has had.
#[derive(Default)]
struct Served {
    on_their_way: u32,
    last_at: Option<Timestamp>,
}

/// Starts members until nobody wants one or nothing is left.
pub(super) fn pools(world: &World, limits: &Limits, ids: &mut Ids, sheets: &mut [Sheet<'_>], plan: &mut Plan) {
    let mut capacity = Capacity::of(world, limits);
    let mut served = served(sheets);
    let mut last_starts: Vec<_> = sheets.iter().map(last_start).collect();
    let mut queue: BTreeSet<(Turn, usize)> = BTreeSet::new();
    let turn = |sheet: &Sheet<'_>, last: Option<Timestamp>, served: &BTreeMap<TenantId, Served>| -> Turn {
        let tenant = &served[&sheet.view.pool.tenant];
        (tenant.on_their_way, tenant.last_at, fullness(sheet), last)
    };
    for (index, sheet) in sheets.iter().enumerate() {
        if may_fill(sheet, limits) && wants(sheet) {
            queue.insert((turn(sheet, last_starts[index], &served), index));
        }
    }
    while let Some((expected, index)) = queue.pop_first() {
        let sheet = &mut sheets[index];
        let actual = turn(sheet, last_starts[index], &served);
        if actual > expected {
            queue.insert((actual, index));
            continue;
        }
        match start(world, ids, &mut capacity, sheet, plan) {
            Ok(()) => {
                let tenant = served.entry(sheet.view.pool.tenant.clone()).or_default();
                tenant.on_their_way += 1;
                tenant.last_at = Some(world.now);
                last_starts[index] = Some(world.now);
                if wants(sheet) {
                    queue.insert((turn(sheet, last_starts[index], &served), index));
                }
            }
            Err(blocked) => sheet.blocked = Some(blocked),
        }
    }
    for sheet in sheets.iter() {
        explain(sheet, plan);
    }
}

/// Whether the pool may start anything at all.
fn may_fill(sheet: &Sheet<'_>, limits: &Limits) -> bool {
    let pool = sheet.pool();
    pool.state == PoolState::Enabled
        && !sheet.course.has_rolled
        && sheet.view.wanted.is_some()
        && pool.failures_in_a_row < limits.pool_failures_max
}

/// Whether the pool lacks members, or has some that will soon have to be replaced.
fn wants(sheet: &Sheet<'_>) -> bool {
    let fresh = count(sheet.ready.len() - sheet.ageing().count());
    fresh + sheet.coming() < super::target(sheet.view) && (sheet.room() > 0 || can_exchange(sheet))
}

/// Whether one goes and one comes. A pool that still holds more than its maximum only lets go.
fn can_exchange(sheet: &Sheet<'_>) -> bool {
    sheet.held() == sheet.pool().max_ready && replaceable(sheet).is_some()
}

/// What may go so that a new member can come, when there is no room for both.
fn replaceable<'a>(sheet: &Sheet<'a>) -> Option<(&'a Instance, End)> {
    // One after the other: the pool goes on serving, and a build that does not work costs one member.
    if sheet.coming() > 0 {
        return None;
    }
    if let Some(old) = sheet.old.first() {
        return Some((old, End::Released));
    }
    let ageing = sheet.ageing().next()?;
    (sheet.ready.len() > 1).then_some((ageing, End::Expired))
}

/// Starts one member, letting another go first where `max_ready` or the host has no room for both.
fn start(
    world: &World,
    ids: &mut Ids,
    capacity: &mut Capacity<'_>,
    sheet: &mut Sheet<'_>,
    plan: &mut Plan,
) -> Result<(), Blocked> {
    let pool = sheet.pool().clone();
    match capacity.place(&pool.tenant, pool.resources, &pool.current.artifact) {
        Ok(node) => {
            if sheet.room() == 0 {
                let (goes, why) = replaceable(sheet).expect("a pool without room is only filled by replacing");
                sheet.stop(goes, why, plan);
            }
            let instance = Box::new(new_member(world, ids, sheet, node));
            plan.actions.push(Action::Start { instance, pool_revision: sheet.view.pool.revision });
            sheet.started += 1;
            Ok(())
        }
        Err(blocked @ (Blocked::Quota(_) | Blocked::NoHost(_))) => match replaceable(sheet) {
            // What it leaves behind is free when it is gone, and then the new one fits.
            Some((goes, why)) if sheet.leaving == 0 => {
                sheet.stop(goes, why, plan);
                Err(Blocked::Replacing)
            }
            _ if sheet.leaving > 0 => Err(Blocked::Replacing),
            _ => Err(blocked),
        },
        Err(blocked) => Err(blocked),
    }
}

/// The row of a new member, on its way on its host.
fn new_member(world: &World, ids: &mut Ids, sheet: &Sheet<'_>, node: NodeId) -> Instance {
    let pool = sheet.pool();
    let mut instance = Instance {
        id: ids.instance(),
        tenant: pool.tenant.clone(),
        pool: Some(pool.id.clone()),
        generation: pool.current.number,
        template: pool.current.template.clone(),
        build: pool.current.build.clone(),
        artifact: pool.current.artifact.clone(),
        resources: pool.resources,
        internet_access: pool.internet_access,
        reserved_for: None,
        state: State::Requested,
        created_at: world.now,
        revision: 0,
    };
    instance.apply(Event::Placed { node }, world.now).expect("a new row can be placed");
    instance
}

/// Thousandths of what the pool should have that is there or coming.
fn fullness(sheet: &Sheet<'_>) -> u32 {
    let have = u64::from(count(sheet.ready.len()) + sheet.coming());
    u32::try_from(have * 1000 / u64::from(super::target(sheet.view).max(1))).unwrap_or(u32::MAX)
}

fn last_start(sheet: &Sheet<'_>) -> Option<Timestamp> {
    sheet.view.instances.values().map(|member| member.created_at).max()
}

fn served(sheets: &[Sheet<'_>]) -> BTreeMap<TenantId, Served> {
    let mut served: BTreeMap<TenantId, Served> = BTreeMap::new();
    for sheet in sheets {
        let tenant = served.entry(sheet.view.pool.tenant.clone()).or_default();
        tenant.on_their_way += sheet.coming();
        tenant.last_at = tenant.last_at.max(last_start(sheet));
    }
    served
}

fn explain(sheet: &Sheet<'_>, plan: &mut Plan) {
    if sheet.started > 0 {
        plan.note(sheet, format!("starts {} of {}", sheet.started, sheet.pool().current.build));
    }
    let Some(blocked) = &sheet.blocked else { return };
    let lacks = sheet.shortage();
    let why = match blocked {
        Blocked::Quota(why) | Blocked::NoHost(why) | Blocked::ArtifactMissing(why) => why.as_str(),
        Blocked::Busy => "hosts are starting as many as they may",
        Blocked::Replacing => "waits for the room of a member that is leaving",
    };
    plan.note(sheet, format!("is {lacks} short: {why}"));
}
