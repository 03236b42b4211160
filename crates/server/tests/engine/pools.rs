//! The controller.

use crate::house::{House, pool_of, template};
use nullspace_domain::warm_pool::{DegradedReason, Mode, PoolState};
use nullspace_server::engine::{Error, PoolFilter};
use nullspace_server::records::SandboxStatus;
use nullspace_testkit::sim_node::Start;

#[tokio::test]
async fn a_pool_fills_and_drains_and_its_sandboxes_stay() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 3).await;
    assert_eq!(pool.pool.id.as_str(), "twp_py_small");
    let kept = house.check_out(&pool, Mode::Require, 0).await.unwrap();
    let id = pool.pool.id.as_str();
    house.engine.drain_warm_pool(&house.caller, id).await.unwrap();
    let drained = house
        .pool_until(id, |info| {
            info.pool.drained_at.is_some() || info.counts.claimed == 1 && house.node.holds().len() == 1
        })
        .await;
    assert_eq!((drained.counts.ready, drained.counts.target), (0, 0));
    assert_eq!(house.node.holds().len(), 1);
    let deleted = house.engine.delete_warm_pool(&house.caller, id).await.unwrap();
    assert_eq!(deleted.pool.state, PoolState::Deleted);
    let found = house.engine.get_sandbox(&house.caller, kept.id.as_str()).await.unwrap();
    assert_eq!(found.status, SandboxStatus::Running);
    assert!(house.engine.list_warm_pools(&house.caller, PoolFilter::default()).await.unwrap().is_empty());
    // A new pool of that name gets another id while the old one can be looked at.
    let second = house.pool("py", 0, 0).await;
    assert!(second.pool.id.as_str().starts_with("twp_py_small_"));
}

#[tokio::test]
async fn a_template_that_cannot_become_ready_is_tried_a_bounded_number_of_times() {
    let house = House::open().await;
    house.template("py").await;
    house.node.set_start(Start::NotReady("port 8080 stayed shut".to_owned()));
    let pool = house.pool("py", 2, 2).await;
    let id = pool.pool.id.as_str();
    let given_up = house.pool_until(id, |info| info.pool.degraded.is_some()).await;
    assert_eq!(given_up.pool.degraded.unwrap().reason, DegradedReason::ArtifactPrewarmFailed);
    let before = house.node.started().len();
    assert!(before <= 4, "{before} starts");
    house.node.set_start(Start::AtOnce);
    house.engine.reconcile_warm_pool(&house.caller, id).await.unwrap();
    house.pool_until(id, |info| info.counts.ready == 2 && info.pool.degraded.is_none()).await;
}

#[tokio::test]
async fn a_moved_tag_rolls_the_pool_over_and_leaves_sandboxes_alone() {
    let house = House::open().await;
    let first = house.build(template("py", &["stable"])).await;
    let request = pool_of("py:stable", 1, 1);
    let request = nullspace_server::engine::CreateWarmPool { track_tag_policy: true, ..request };
    let pool = house.engine.create_warm_pool(&house.caller, request).await.unwrap();
    let id = pool.pool.id.as_str();
    let pool = house.pool_until(id, |info| info.counts.ready == 1).await;
    let kept = house.check_out(&pool, Mode::Require, 0).await.unwrap();
    assert_eq!(kept.build, first.id);
    house.pool_until(id, |info| info.counts.ready == 1).await;
    let second = house.build(template("py", &["stable"])).await;
    let rolled = house
        .pool_until(id, |info| {
            info.pool.current.build == second.id && info.counts.ready == 1 && info.rollout.old_ready_or_warming == 0
        })
        .await;
    assert_eq!(rolled.pool.current.number, 2);
    let next = house.check_out(&rolled, Mode::Require, 0).await.unwrap();
    assert_eq!(next.build, second.id);
    assert_eq!(next.checkout.unwrap().generation, Some(2));
    assert_eq!(house.engine.get_sandbox(&house.caller, kept.id.as_str()).await.unwrap().status, SandboxStatus::Running);
}

#[tokio::test]
async fn absurd_sizes_are_refused_by_the_name_of_their_field() {
    let house = House::open().await;
    house.template("py").await;
    let mut wrong = pool_of("py", 3, 2);
    for field in ["min_ready", "resources.vcpus", "name", "template_ref"] {
        match house.engine.create_warm_pool(&house.caller, wrong.clone()).await {
            Err(Error::InvalidRequest { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{other:?}"),
        }
        wrong = pool_of("py", 1, 2);
        match field {
            "min_ready" => wrong.vcpus = 0,
            "resources.vcpus" => wrong.name = String::new(),
            _ => wrong.template_ref = "a b".to_owned(),
        }
    }
    let unknown = house.engine.create_warm_pool(&house.caller, pool_of("nothing", 1, 1)).await.unwrap_err();
    assert!(matches!(unknown, Error::TemplateNotFound { .. }));
    assert!(house.engine.list_warm_pools(&house.caller, PoolFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_machine_without_a_row_is_stopped_and_a_dead_member_replaced() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 1).await;
    let member = house.node.started()[0].id.clone();
    house.node.kill(&member, true);
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 1 && info.counts.unavailable == 1).await;
}
