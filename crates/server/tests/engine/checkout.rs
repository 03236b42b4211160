//! Taking members.

use crate::house::{House, from_pool, plain};
use nullspace_domain::warm_pool::Mode;
use nullspace_node::api::MachineState;
use nullspace_server::engine::{Error, SandboxFilter};
use nullspace_server::records::{MissReason, SandboxStatus, Source};
use nullspace_testkit::sim_node::Start;
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn a_hit_is_running_with_the_pools_size_and_a_receipt_that_stays() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 1).await;
    let taken = house.check_out(&pool, Mode::Require, 0).await.unwrap();
    assert_eq!(taken.status, SandboxStatus::Running);
    assert_eq!(taken.resources.memory_mb, 1024);
    let receipt = taken.checkout.clone().unwrap();
    assert_eq!((receipt.source, receipt.hit, receipt.wait_ms), (Source::ReadyInstance, true, 0));
    assert_eq!((receipt.generation, receipt.candidates_tried), (Some(1), 1));
    let later = house.engine.get_sandbox(&house.caller, taken.id.as_str()).await.unwrap();
    assert_eq!(later.checkout, Some(receipt));
    house.sandbox_until(taken.id.as_str(), |_| house.node.holds()[&taken.instance] == MachineState::Running).await;
    // And the pool makes up for it.
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 1 && info.counts.claimed == 1).await;
}

#[tokio::test]
async fn a_require_checkout_on_an_empty_pool_leaves_nothing() {
    let house = House::open().await;
    house.template("py").await;
    let pool = house.pool("py", 0, 0).await;
    let mut request = from_pool("py", pool.pool.id.as_str(), Mode::Require, 20);
    request.idempotency_key = Some("once".to_owned());
    let refused = house.engine.create_sandbox(&house.caller, request.clone()).await.unwrap_err();
    let Error::WarmPoolUnavailable { reason, waited_ms, .. } = refused else { panic!("{refused}") };
    assert_eq!(reason, MissReason::NoReadyInventory);
    assert!(waited_ms >= 20);
    let all = SandboxFilter { statuses: SandboxStatus::ALL.to_vec(), ..SandboxFilter::default() };
    assert!(house.engine.list_sandboxes(&house.caller, all).await.unwrap().items.is_empty());
    assert!(house.node.holds().is_empty());
    // The key was not used up.
    house.engine.update_warm_pool(&house.caller, pool.pool.id.as_str(), more(1)).await.unwrap();
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 1).await;
    house.engine.create_sandbox(&house.caller, request).await.unwrap();
}

fn more(ready: u32) -> nullspace_server::engine::UpdateWarmPool {
    nullspace_server::engine::UpdateWarmPool {
        min_ready: Some(ready),
        max_ready: Some(ready),
        ..nullspace_server::engine::UpdateWarmPool::default()
    }
}

#[tokio::test]
async fn concurrent_checkouts_never_share_a_member() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 16).await;
    let taken = futures::future::join_all((0..16).map(|_| house.check_out(&pool, Mode::Require, 0))).await;
    let machines: BTreeSet<_> = taken.into_iter().map(|sandbox| sandbox.unwrap().instance).collect();
    assert_eq!(machines.len(), 16);
}

#[tokio::test]
async fn a_prefer_miss_starts_cold_and_says_why() {
    let house = House::open().await;
    house.template("py").await;
    let pool = house.pool("py", 0, 0).await;
    let cold = house.check_out(&pool, Mode::Prefer, 0).await.unwrap();
    assert_eq!(cold.status, SandboxStatus::Running);
    assert_eq!(cold.resources.memory_mb, 512);
    let receipt = cold.checkout.unwrap();
    assert_eq!((receipt.source, receipt.miss_reason), (Source::ColdCreate, Some(MissReason::NoReadyInventory)));
    let bypassed = house.check_out(&pool, Mode::Bypass, 0).await.unwrap();
    assert_eq!(bypassed.checkout.unwrap().source, Source::Bypassed);
}

#[tokio::test]
async fn a_waiting_checkout_takes_the_member_that_becomes_ready() {
    let house = House::open().await;
    house.template("py").await;
    house.node.set_start(Start::After(Duration::from_millis(150)));
    let pool = house.pool("py", 1, 1).await;
    let taken = house.check_out(&pool, Mode::Require, 5000).await.unwrap();
    let receipt = taken.checkout.unwrap();
    assert!(receipt.hit && receipt.wait_ms >= 50, "{receipt:?}");
}

#[tokio::test]
async fn those_who_wait_are_served_in_order() {
    let house = House::open().await;
    house.template("py").await;
    house.node.set_start(Start::After(Duration::from_millis(100)));
    let pool = house.pool("py", 1, 2).await;
    let mut order = Vec::new();
    let mut waiting = futures::stream::FuturesUnordered::new();
    for turn in 0..3 {
        let (house, pool) = (&house, &pool);
        waiting.push(async move {
            tokio::time::sleep(Duration::from_millis(turn * 20)).await;
            house.check_out(pool, Mode::Require, 10_000).await.unwrap();
            turn
        });
    }
    use futures::StreamExt;
    while let Some(turn) = waiting.next().await {
        order.push(turn);
    }
    assert_eq!(order, [0, 1, 2]);
}

#[tokio::test]
async fn a_dead_member_is_replaced_by_the_next_and_never_handed_out() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 2).await;
    let first = house.node.started()[0].id.clone();
    house.node.kill(&first, false);
    let taken = house.check_out(&pool, Mode::Require, 0).await.unwrap();
    assert_ne!(taken.instance, first);
    assert_eq!(taken.checkout.unwrap().candidates_tried, 2);
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 2 && info.counts.unavailable == 1).await;
    assert!(!house.node.holds().contains_key(&first));
}

#[tokio::test]
async fn a_sandbox_that_does_not_answer_after_its_resume_ends_in_error() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 1).await;
    let member = house.node.started()[0].id.clone();
    house.node.mute(&member);
    let taken = house.check_out(&pool, Mode::Require, 0).await.unwrap();
    let ended = house.sandbox_until(taken.id.as_str(), |sandbox| sandbox.status == SandboxStatus::Error).await;
    assert!(ended.failure.is_some());
    house.pool_until(pool.pool.id.as_str(), |_| !house.node.holds().contains_key(&member)).await;
}

#[tokio::test]
async fn what_a_member_cannot_have_is_a_miss_with_its_reason() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 1).await;
    let id = pool.pool.id.as_str();
    let mut with_envs = from_pool("py", id, Mode::Require, 5000);
    with_envs.envs.insert("A".to_owned(), "b".to_owned());
    let mut too_large = from_pool("py", id, Mode::Require, 5000);
    too_large.memory_mb = 2048;
    for (request, expected) in [(with_envs, MissReason::UnpoolableShape), (too_large, MissReason::ResourcesExceedPool)]
    {
        match house.engine.create_sandbox(&house.caller, request).await {
            Err(Error::WarmPoolUnavailable { reason, .. }) => assert_eq!(reason, expected),
            other => panic!("{other:?}"),
        }
    }
    house.engine.disable_warm_pool(&house.caller, id).await.unwrap();
    match house.check_out(&pool, Mode::Require, 5000).await {
        Err(Error::WarmPoolUnavailable { reason: MissReason::PoolDisabled, .. }) => {}
        other => panic!("{other:?}"),
    }
    let elsewhere = from_pool("py", "twp_nobody", Mode::Prefer, 0);
    let unknown = house.engine.create_sandbox(&house.caller, elsewhere).await.unwrap_err();
    assert!(matches!(unknown, Error::WarmPoolNotFound { .. }));
}

#[tokio::test]
async fn a_cold_create_that_fails_ends_in_error_and_frees_its_key() {
    let house = House::open().await;
    house.template("py").await;
    house.node.set_start(Start::NotReady("no luck".to_owned()));
    let mut request = plain("py");
    request.idempotency_key = Some("again".to_owned());
    let failed = house.engine.create_sandbox(&house.caller, request.clone()).await.unwrap_err();
    assert!(matches!(&failed, Error::StartFailed { detail } if detail.contains("no luck")), "{failed:?}");
    let errors = SandboxFilter { statuses: vec![SandboxStatus::Error], ..SandboxFilter::default() };
    assert_eq!(house.engine.list_sandboxes(&house.caller, errors).await.unwrap().items.len(), 1);
    house.node.set_start(Start::AtOnce);
    let made = house.engine.create_sandbox(&house.caller, request).await.unwrap();
    assert_eq!(made.status, SandboxStatus::Running);
}

#[tokio::test]
async fn a_machine_that_does_not_fit_the_host_is_refused_before_it_exists() {
    let house = House::open().await;
    house.template("py").await;
    let mut request = plain("py");
    request.memory_mb = 1024 * 1024;
    let refused = house.engine.create_sandbox(&house.caller, request).await.unwrap_err();
    assert!(matches!(refused, Error::NoEligibleHost { .. }), "{refused:?}");
    assert!(house.node.started().is_empty());
}
