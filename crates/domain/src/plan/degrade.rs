//! Why a pool is not what it should be: one reason of the published list, with what was seen and since
//! when (spec warm-pools §8.3). Evidence is worded so that it stays the same while nothing changes.

use super::capacity::Blocked;
use super::sheet::Sheet;
use super::{Action, Note, Plan, roll};
use crate::limits::Limits;
use crate::warm_pool::{Degraded, DegradedReason, PoolState, VersionPolicy, WarmPool};
use crate::world::World;

/// Nothing is done, and every pool says why.
pub(super) fn controller_disabled(world: &World, plan: &mut Plan) {
    for view in world.pools.values().filter(|view| view.pool.state != PoolState::Deleted) {
        let evidence = "reconciliation is switched off by configuration: pools are kept as they are".to_owned();
        say(world, &view.pool, Some((DegradedReason::ControllerDisabled, evidence)), plan);
    }
}

/// Compares what is wrong with what was known to be wrong.
pub(super) fn pool(world: &World, limits: &Limits, sheet: &Sheet<'_>, plan: &mut Plan) {
    // A pool that has just rolled is judged on the new build, in the next tick.
    if !sheet.course.has_rolled {
        say(world, &sheet.view.pool, reason(limits, sheet), plan);
    }
}

fn reason(limits: &Limits, sheet: &Sheet<'_>) -> Option<(DegradedReason, String)> {
    let pool = sheet.pool();
    match pool.state {
        PoolState::Enabled => {}
        PoolState::Draining => {
            return Some((DegradedReason::DrainActive, "the pool is draining and is not filled".to_owned()));
        }
        PoolState::Disabled | PoolState::Deleted => return None,
    }
    let Some(wanted) = &sheet.view.wanted else {
        let evidence = match &pool.version_policy {
            VersionPolicy::TrackTag { tag } => format!("tag `{tag}` points at no build that can be used"),
            VersionPolicy::PinnedBuild => format!("build {} cannot be used any more", pool.current.build),
        };
        return Some((DegradedReason::TemplateBuildUnavailable, evidence));
    };
    let failure = sheet.view.last_failure.as_deref().unwrap_or("no member became ready in time");
    if roll::is_given_up(pool, wanted) {
        let (given_up, fills) = (&wanted.build, &pool.current.build);
        let evidence = format!("build {given_up} was given up, {fills} is filled until the tag moves: {failure}");
        return Some((DegradedReason::ArtifactPrewarmFailed, evidence));
    }
    if pool.failures_in_a_row >= limits.pool_failures_max {
        let failures = pool.failures_in_a_row;
        let evidence = format!("{failures} starts in a row failed, `reconcile` tries again: {failure}");
        return Some((DegradedReason::ArtifactPrewarmFailed, evidence));
    }
    // Only what keeps the pool below its target: a replacement that must wait harms nobody yet.
    match sheet.blocked.as_ref().filter(|_| sheet.shortage() > 0)? {
        Blocked::Quota(why) => Some((DegradedReason::QuotaExceeded, why.clone())),
        Blocked::NoHost(why) => Some((DegradedReason::NoEligibleHosts, why.clone())),
        Blocked::ArtifactMissing(why) => Some((DegradedReason::ArtifactNotReady, why.clone())),
        Blocked::Busy | Blocked::Replacing => None,
    }
}

fn say(world: &World, pool: &WarmPool, found: Option<(DegradedReason, String)>, plan: &mut Plan) {
    let degraded = found.map(|(reason, evidence)| {
        let known = pool.degraded.as_ref().filter(|known| known.reason == reason);
        Degraded { reason, evidence, since: known.map_or(world.now, |known| known.since) }
    });
    if let Some(degraded) = &degraded {
        plan.notes.push(Note { pool: pool.id.clone(), text: degraded.evidence.clone() });
    }
    if degraded != pool.degraded {
        plan.actions.push(Action::Degrade { pool: pool.id.clone(), degraded, revision: pool.revision });
    }
}
