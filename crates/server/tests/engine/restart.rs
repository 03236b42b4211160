//! Killed at any moment and started again on the same directory.

use crate::house::{House, from_pool, plain, template};
use nullspace_domain::InstanceId;
use nullspace_domain::warm_pool::Mode;
use nullspace_node::api::{FailurePhase, MachineState};
use nullspace_server::engine::Error;
use nullspace_server::records::{BuildStatus, SandboxStatus};
use nullspace_testkit::sim_node::{Build, Start};

#[tokio::test]
async fn a_killed_server_finds_its_sandboxes_and_members_again() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 2).await;
    let taken = house.check_out(&pool, Mode::Require, 0).await.unwrap();
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 2).await;
    let before = house.node.started().len();
    let house = house.kill_and_restart().await;
    let found = house.engine.get_sandbox(&house.caller, taken.id.as_str()).await.unwrap();
    assert_eq!(found.status, SandboxStatus::Running);
    assert_eq!(house.node.holds()[&taken.instance], MachineState::Running);
    let pool = house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 2).await;
    assert_eq!(house.node.started().len(), before, "nothing is made anew");
    house.check_out(&pool, Mode::Require, 0).await.unwrap();
}

#[tokio::test]
async fn what_is_gone_is_declared_lost_and_what_nobody_owns_is_stopped() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 1).await;
    let taken = house.check_out(&pool, Mode::Require, 0).await.unwrap();
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 1).await;
    house.node.kill(&taken.instance, false);
    let orphan = InstanceId::from_body("orphan");
    house.node.plant(orphan.clone());
    let house = house.kill_and_restart().await;
    let lost = house.sandbox_until(taken.id.as_str(), |sandbox| sandbox.status == SandboxStatus::Error).await;
    assert!(lost.failure.is_some());
    house.pool_until(pool.pool.id.as_str(), |_| !house.node.holds().contains_key(&orphan)).await;
    assert!(!house.node.holds().contains_key(&taken.instance));
}

#[tokio::test]
async fn an_idempotency_key_replays_across_a_restart_and_refuses_another_request() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 1).await;
    let mut request = from_pool("py", pool.pool.id.as_str(), Mode::Require, 0);
    request.idempotency_key = Some("5f1c".to_owned());
    let first = house.engine.create_sandbox(&house.caller, request.clone()).await.unwrap();
    let house = house.kill_and_restart().await;
    let again = house.engine.create_sandbox(&house.caller, request.clone()).await.unwrap();
    assert_eq!(again.id, first.id);
    request.memory_mb = 256;
    let other = house.engine.create_sandbox(&house.caller, request).await.unwrap_err();
    assert!(matches!(other, Error::IdempotencyConflict), "{other:?}");
}

#[tokio::test]
async fn a_key_whose_create_still_runs_is_refused_for_now() {
    let house = House::open().await;
    house.template("py").await;
    house.node.set_start(Start::Hang);
    let mut request = plain("py");
    request.idempotency_key = Some("slow".to_owned());
    let (engine, caller, first) = (house.engine.clone(), house.caller.clone(), request.clone());
    let running = tokio::spawn(async move { engine.create_sandbox(&caller, first).await });
    while house.node.started().is_empty() {
        tokio::task::yield_now().await;
    }
    let refused = house.engine.create_sandbox(&house.caller, request.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::TransitionInProgress), "{refused:?}");
    house.node.set_start(Start::AtOnce);
    let made = running.await.unwrap().unwrap();
    assert_eq!(house.engine.create_sandbox(&house.caller, request).await.unwrap().id, made.id);
}

#[tokio::test]
async fn a_start_in_flight_is_finished_after_a_restart() {
    let house = House::open().await;
    house.template("py").await;
    house.node.set_start(Start::Hang);
    let pool = house.pool("py", 1, 1).await;
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.warming == 1 && !house.node.holds().is_empty()).await;
    let house = house.kill_and_restart().await;
    house.node.set_start(Start::AtOnce);
    house.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == 1).await;
    assert_eq!(house.node.holds().len(), 1);
}

#[tokio::test]
async fn a_build_that_was_running_is_interrupted_and_can_be_retried() {
    let house = House::open().await;
    house.node.set_build(Build::Hang);
    let build = house.engine.start_build(&house.caller, &template("py", &["default"])).await.unwrap();
    let house = house.kill_and_restart().await;
    let ended = house.ended(&build).await;
    assert_eq!(ended.status, BuildStatus::Error);
    assert_eq!(ended.failure.unwrap().phase, FailurePhase::Interrupted);
    house.node.set_build(Build::Succeed);
    let retry = house.engine.retry_build(&house.caller, build.id.as_str(), &serde_json::json!({})).await.unwrap();
    assert_eq!(house.ended(&retry).await.status, BuildStatus::Ready);
}
