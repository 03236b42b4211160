//! Whether a create tries its pool at all, and what it does otherwise.

use super::{MissReason, Receipt, Special, shape};
use crate::limits::CHECKOUT_WAIT_MAX;
use crate::warm_pool::{Mode, PoolState, WarmPool};
use crate::{BuildId, Resources, TemplateId, WarmPoolId};
use std::collections::BTreeSet;
use std::time::Duration;

/// What of a create request matters to a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// None means the pool's own policy.
    pub mode: Option<Mode>,
    /// None means an immediate attempt only.
    pub wait: Option<Duration>,
    /// What the request's ref means for this caller.
    pub template: TemplateId,
    /// Set when the ref names an exact build.
    pub build: Option<BuildId>,
    /// `disk_mb` is 0 when the caller did not say.
    pub resources: Resources,
    pub specials: BTreeSet<Special>,
}

/// What a create does about its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Take a candidate, waiting at most so long for one.
    Try { mode: Mode, wait: Duration, on_miss: OnMiss },
    /// Do not touch the pool.
    StartCold { receipt: Receipt },
    /// `warm_pool_unavailable`, and nothing is recorded. `field` says what was not poolable.
    Refuse { reason: MissReason, field: Option<&'static str> },
}

/// What happens when there is no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMiss {
    StartCold,
    Refuse,
}

/// Decides about a create that named a pool.
pub fn decide(pool: &WarmPool, request: &Request) -> Decision {
    let mode = request.mode.unwrap_or(pool.checkout_policy);
    if mode == Mode::Bypass {
        return bypassed(Some(pool.id.clone()));
    }
    let on_miss = OnMiss::of(mode);
    let Some((reason, field)) = never(pool, request) else {
        let wait = request.wait.unwrap_or_default().min(CHECKOUT_WAIT_MAX);
        return Decision::Try { mode, wait, on_miss };
    };
    // Waiting would not help: no member of this pool will ever do.
    match on_miss {
        OnMiss::Refuse => Decision::Refuse { reason, field },
        OnMiss::StartCold => {
            Decision::StartCold { receipt: Receipt::miss(pool.id.clone(), mode, Duration::ZERO, 0, reason) }
        }
    }
}

/// Decides about a create that asked for no pool: `bypass` is the only mode that may leave the id out.
pub fn bypassed(pool: Option<WarmPoolId>) -> Decision {
    Decision::StartCold { receipt: Receipt::bypassed(pool) }
}

/// Why no member of the pool can satisfy the request, now or after a wait.
fn never(pool: &WarmPool, request: &Request) -> Option<(MissReason, Option<&'static str>)> {
    match pool.state {
        PoolState::Enabled => {}
        PoolState::Disabled => return Some((MissReason::PoolDisabled, None)),
        PoolState::Draining => return Some((MissReason::DrainActive, None)),
        PoolState::Deleted => return Some((MissReason::PoolDeleted, None)),
    }
    if let Some(special) = shape::obstacle(pool, &request.specials) {
        return Some((MissReason::UnpoolableShape, Some(special.field())));
    }
    if pool.template != request.template || !may_hold(pool, request.build.as_ref()) {
        return Some((MissReason::TemplateMismatch, Some("template")));
    }
    larger_than(pool.resources, request.resources).map(|field| (MissReason::ResourcesExceedPool, Some(field)))
}

/// Whether a member of the build named, if one is, can be ready in this pool.
fn may_hold(pool: &WarmPool, build: Option<&BuildId>) -> bool {
    let Some(build) = build else { return true };
    let previous = pool.previous.as_ref().filter(|_| pool.current.cut_over_at.is_none());
    pool.current.build == *build || previous.is_some_and(|previous| previous.build == *build)
}

/// The first resource that is asked for beyond what the pool's members have.
fn larger_than(pool: Resources, asked: Resources) -> Option<&'static str> {
    if pool.covers(&asked) {
        return None;
    }
    Some(if asked.vcpus > pool.vcpus {
        "vcpus"
    } else if asked.memory_mb > pool.memory_mb {
        "memory_mb"
    } else {
        "disk_mb"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{pool, resources};

    fn request() -> Request {
        Request {
            mode: None,
            wait: None,
            template: TemplateId::from_body("py"),
            build: None,
            resources: resources(2, 512, 0),
            specials: BTreeSet::new(),
        }
    }

    fn refused(pool: &WarmPool, request: Request) -> (MissReason, Option<&'static str>) {
        match decide(pool, &Request { mode: Some(Mode::Require), ..request }) {
            Decision::Refuse { reason, field } => (reason, field),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_smaller_request_without_a_mode_follows_the_pools_policy() {
        let mut pool = pool("py");
        pool.resources = resources(2, 1024, 4096);
        let tried = Decision::Try { mode: Mode::Prefer, wait: Duration::ZERO, on_miss: OnMiss::StartCold };
        assert_eq!(decide(&pool, &request()), tried);
        pool.checkout_policy = Mode::Require;
        let tried = Decision::Try { mode: Mode::Require, wait: Duration::ZERO, on_miss: OnMiss::Refuse };
        assert_eq!(decide(&pool, &request()), tried);
        pool.checkout_policy = Mode::Bypass;
        assert_eq!(decide(&pool, &request()), bypassed(Some(pool.id.clone())));
    }

    #[test]
    fn a_wait_is_clamped_below_what_clients_repeat_after() {
        let asked = Request { wait: Some(Duration::from_secs(3600)), ..request() };
        assert!(matches!(decide(&pool("py"), &asked), Decision::Try { wait: CHECKOUT_WAIT_MAX, .. }));
    }

    #[test]
    fn a_state_that_does_not_serve_is_a_miss_with_its_own_reason() {
        for (state, reason) in [
            (PoolState::Disabled, MissReason::PoolDisabled),
            (PoolState::Draining, MissReason::DrainActive),
            (PoolState::Deleted, MissReason::PoolDeleted),
        ] {
            let pool = WarmPool { state, ..pool("py") };
            assert_eq!(refused(&pool, request()), (reason, None));
            let Decision::StartCold { receipt } = decide(&pool, &request()) else { panic!("prefer starts cold") };
            assert_eq!((receipt.hit, receipt.miss_reason, receipt.wait_ms), (false, Some(reason), 0));
        }
    }

    #[test]
    fn what_a_member_cannot_have_is_named() {
        use Special::*;
        let pool = pool("py");
        for special in
            [Envs, Cwd, Volumes, Desktop, Network, NoInternet, TimeoutAction, OnTimeout, AutoResume, SnapshotId]
        {
            let asked = Request { specials: BTreeSet::from([special]), ..request() };
            assert_eq!(refused(&pool, asked), (MissReason::UnpoolableShape, Some(special.field())));
        }
        let asked = Request { resources: resources(2, 8192, 0), ..request() };
        assert_eq!(refused(&pool, asked), (MissReason::ResourcesExceedPool, Some("memory_mb")));
        let asked = Request { template: TemplateId::from_body("other"), ..request() };
        assert_eq!(refused(&pool, asked).0, MissReason::TemplateMismatch);
    }

    #[test]
    fn a_pool_may_opt_in_to_late_binding_of_envs_and_cwd_only() {
        let mut pool = pool("py");
        pool.metadata.insert("bind_envs".into(), true.into());
        let asked = Request { specials: BTreeSet::from([Special::Envs, Special::Cwd]), ..request() };
        assert!(matches!(decide(&pool, &asked), Decision::Try { .. }));
        let asked = Request { specials: BTreeSet::from([Special::Envs, Special::Volumes]), ..request() };
        assert_eq!(refused(&pool, asked), (MissReason::UnpoolableShape, Some("volumes")));
    }

    #[test]
    fn a_pool_without_internet_serves_those_who_want_none() {
        let pool = WarmPool { internet_access: false, ..pool("py") };
        let asked = Request { specials: BTreeSet::from([Special::NoInternet]), ..request() };
        assert!(matches!(decide(&pool, &asked), Decision::Try { .. }));
    }

    #[test]
    fn an_exact_build_must_be_one_the_pool_may_still_hold() {
        let mut pool = pool("py");
        let asked = |build: &str| Request { build: Some(BuildId::from_body(build)), ..request() };
        assert!(matches!(decide(&pool, &asked("b1")), Decision::Try { .. }));
        assert_eq!(refused(&pool, asked("b2")).0, MissReason::TemplateMismatch);
        pool.roll(&crate::fixture::build("b2"), pool.created_at);
        assert!(matches!(decide(&pool, &asked("b1")), Decision::Try { .. }));
        pool.current.cut_over_at = Some(pool.created_at);
        assert_eq!(refused(&pool, asked("b1")).0, MissReason::TemplateMismatch);
    }
}
