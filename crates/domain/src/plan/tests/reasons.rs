//! The seven degraded reasons, each reached, and the published counts.

use super::*;
use crate::instance::Event;
use crate::warm_pool::{Counts, Degraded, DegradedReason};
use std::time::Duration;

#[test]
fn no_eligible_hosts() {
    plans(
        &scene(10).node("n1", 0).pool("py"),
        "degrade py: NoEligibleHosts: no host has 1088 MB of memory and 4096 MB of disk left",
    );
    plans(&scene(10).pool("py"), "degrade py: NoEligibleHosts: no host is up");
}

#[test]
fn artifact_not_ready() {
    let missing = |node: &mut Node| {
        node.missing_artifacts.insert(build("b1").artifact);
    };
    plans(
        &scene(10).node_with("n1", 8, missing).pool("py"),
        "degrade py: ArtifactNotReady: artifact art_b1 is on no host that has room",
    );
}

#[test]
fn artifact_prewarm_failed() {
    let broken = |view: &mut PoolView| {
        view.pool.failures_in_a_row = 3;
        view.last_failure = Some("the probe never passed".into());
    };
    plans(
        &scene(10).node("n1", 8).pool_with("py", broken),
        "degrade py: ArtifactPrewarmFailed: 3 starts in a row failed, `reconcile` tries again: the probe never passed",
    );
}

#[test]
fn quota_exceeded() {
    let used = |tenant: &mut Tenant| {
        tenant.memory_mb_max = Some(2048);
        tenant.memory_mb_used = 1500;
    };
    plans(
        &scene(10).node("n1", 8).tenant("t1", used).pool("py"),
        "degrade py: QuotaExceeded: the tenant has less than 1024 MB of its memory quota left",
    );
}

#[test]
fn template_build_unavailable() {
    plans(
        &scene(10).node("n1", 8).pool_with("py", |view| view.wanted = None),
        "degrade py: TemplateBuildUnavailable: tag `stable` points at no build that can be used",
    );
}

#[test]
fn controller_disabled() {
    let scene = scene(10).node("n1", 8).limit(|limits| limits.controller_enabled = false).pool("py");
    plans(
        &scene,
        "degrade py: ControllerDisabled: reconciliation is switched off by configuration: pools are kept as they are",
    );
}

#[test]
fn drain_active() {
    plans(
        &scene(10).node("n1", 8).pool_with("py", in_state(PoolState::Draining)),
        "
        drained py
        degrade py: DrainActive: the pool is draining and is not filled
        ",
    );
}

#[test]
fn a_known_reason_keeps_its_beginning_and_a_healthy_pool_has_none() {
    let known =
        |evidence: &str| Degraded { reason: DegradedReason::NoEligibleHosts, evidence: evidence.into(), since: at(1) };
    let scene = scene(10).pool_with("py", |view| view.pool.degraded = Some(known("no host is up")));
    plans(&scene, "");
    let with_other_evidence = scene.node("n1", 0);
    let Action::Degrade { degraded: Some(degraded), .. } = &with_other_evidence.plan().actions[0] else { panic!() };
    assert_eq!(degraded.since, at(1));
    plans(&with_other_evidence.node("n2", 8).ready("py", "a", 5).ready("py", "b", 5), "recover py");
}

#[test]
fn every_row_is_in_one_count_and_old_ends_are_forgotten() {
    let ended = |row: Instance, why: End, when: i64| row.ready("n1", 5).moved(Event::Ended { why }, when);
    let stopping = |row: Instance, why: End| row.ready("n1", 5).moved(Event::Stop { why }, 9);
    let mut scene = scene(4000).node("n1", 8).node_with("n2", 8, |node| node.health = Health::Silent).pool("py");
    scene.view("py").waiters = 1;
    let scene = scene
        .ready("py", "ready", 3900)
        .ready("py", "stale", 5)
        .starting("py", "warming", 3900)
        .row("py", "held", |row| row.bound("n1", 5))
        .row("py", "silent", |row| row.ready("n2", 3900))
        .row("py", "stopping", |row| stopping(row, End::Released))
        .row("py", "finishing", |row| row.bound("n1", 5).moved(Event::Stop { why: End::Finished }, 9))
        .row("py", "failed", |row| ended(row, End::Failed, 3000))
        .row("py", "failed_long_ago", |row| ended(row, End::Failed, 300))
        .row("py", "expired", |row| ended(row, End::Expired, 3000))
        .row("py", "released", |row| ended(row, End::Released, 3000))
        .row("py", "lost", |row| ended(row, End::Lost, 3000));
    let view = scene.world.pools.values().next().unwrap();
    let counted = counts(view, &scene.world.nodes, scene.world.now, Duration::from_secs(3600));
    let expected =
        Counts { target: 3, ready: 1, warming: 1, claimed: 1, draining: 2, failed: 1, expired: 1, unavailable: 2 };
    assert_eq!(counted, expected);
    let (current, all) = rollout_counts(view);
    assert_eq!(current, all);
    assert_eq!((all.ready, all.claimed, all.failed, all.draining, all.released, all.other), (3, 1, 2, 2, 1, 2));
}
