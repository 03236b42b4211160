//! Which ready members may be handed out, and in which order.

use super::{MissReason, Request};
use crate::Timestamp;
use crate::instance::{Instance, State};
use crate::warm_pool::{DegradedReason, PoolState, WarmPool};

/// The members to try, best first: of the build the pool makes now before older ones, and the one
/// that has been ready longest first, so that none goes stale while younger ones are used.
///
/// Never a member of a generation that a later one has cut over, never one beyond `stale_after`.
pub fn candidates<'a>(
    pool: &WarmPool,
    members: impl IntoIterator<Item = &'a Instance>,
    request: &Request,
    now: Timestamp,
) -> Vec<&'a Instance> {
    if pool.state != PoolState::Enabled {
        return Vec::new();
    }
    let mut found: Vec<_> = members
        .into_iter()
        .filter_map(|member| match &member.state {
            State::Ready { since, .. } => Some((!pool.makes(member), *since, member)),
            _ => None,
        })
        .filter(|(_, since, member)| {
            member.pool.as_ref() == Some(&pool.id)
                && pool.serves(member)
                && now < pool.stale_at(*since)
                && member.resources.covers(&request.resources)
                && request.build.as_ref().is_none_or(|build| *build == member.build)
        })
        .collect();
    found.sort_by(|a, b| (a.0, a.1, &a.2.id).cmp(&(b.0, b.1, &b.2.id)));
    found.into_iter().map(|(_, _, member)| member).collect()
}

/// Why a try ended without a member, after so many candidates turned out to be dead.
pub fn miss_reason(pool: &WarmPool, candidates_tried: u32) -> MissReason {
    // The pool may have changed while the create waited.
    match pool.state {
        PoolState::Disabled => return MissReason::PoolDisabled,
        PoolState::Draining => return MissReason::DrainActive,
        PoolState::Deleted => return MissReason::PoolDeleted,
        PoolState::Enabled => {}
    }
    if candidates_tried > 0 {
        return MissReason::CandidatesFailed;
    }
    match pool.degraded.as_ref().map(|degraded| degraded.reason) {
        Some(DegradedReason::QuotaExceeded) => MissReason::QuotaExceeded,
        _ => MissReason::NoReadyInventory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{at, build, instance, pool, resources};
    use crate::warm_pool::Degraded;
    use std::collections::BTreeSet;

    fn anything(pool: &WarmPool) -> Request {
        Request {
            mode: None,
            wait: None,
            template: pool.template.clone(),
            build: None,
            resources: resources(1, 128, 0),
            specials: BTreeSet::new(),
        }
    }

    fn order(pool: &WarmPool, members: &[Instance], now: i64) -> Vec<String> {
        let found = candidates(pool, members, &anything(pool), at(now));
        found.iter().map(|member| member.id.as_str().trim_start_matches("ins_").to_owned()).collect()
    }

    #[test]
    fn the_oldest_ready_of_the_current_build_comes_first_and_stale_ones_never() {
        let mut pool = pool("py");
        let old = instance(&pool, "old").ready("n1", 5);
        pool.roll(&build("b2"), at(10));
        let members = [
            old,
            instance(&pool, "young").ready("n1", 30),
            instance(&pool, "first").ready("n1", 20),
            instance(&pool, "warming").starting("n1", 20),
            instance(&pool, "taken").bound("n1", 20),
        ];
        assert_eq!(order(&pool, &members, 40), ["first", "young", "old"]);
        assert_eq!(order(&pool, &members, 20 + 900), ["young"]);
    }

    #[test]
    fn after_the_cut_over_no_older_member_is_handed_out_not_even_when_the_tag_moves_again() {
        let mut pool = pool("py");
        let old = instance(&pool, "old").ready("n1", 5);
        pool.roll(&build("b2"), at(10));
        let new = instance(&pool, "new").ready("n1", 20);
        let members = [old, new];
        assert_eq!(order(&pool, &members, 30), ["new", "old"]);
        pool.current.cut_over_at = Some(at(20));
        assert_eq!(order(&pool, &members, 30), ["new"]);
        pool.roll(&build("b3"), at(40));
        pool.roll(&build("b4"), at(41));
        assert_eq!(order(&pool, &members, 50), ["new"]);
        pool.state = PoolState::Draining;
        assert!(order(&pool, &members, 50).is_empty());
    }

    #[test]
    fn a_miss_says_what_is_known() {
        let mut pool = pool("py");
        assert_eq!(miss_reason(&pool, 0), MissReason::NoReadyInventory);
        assert_eq!(miss_reason(&pool, 2), MissReason::CandidatesFailed);
        let reason = DegradedReason::QuotaExceeded;
        pool.degraded = Some(Degraded { reason, evidence: "all used".into(), since: at(0) });
        assert_eq!(miss_reason(&pool, 0), MissReason::QuotaExceeded);
        pool.state = PoolState::Deleted;
        assert_eq!(miss_reason(&pool, 2), MissReason::PoolDeleted);
    }
}
