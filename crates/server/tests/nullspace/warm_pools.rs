//! Pools and checkout, end to end.

use super::setup::{build, call, server};
use nullspace_api::sandboxes::{CheckoutSource, CreateSandbox, MissReason, SandboxStatus, WarmPoolRequest};
use nullspace_api::warm_pools::{AskedResources, CheckoutMode, CreateWarmPool, PoolState, WarmPool};
use nullspace_testkit::HttpServer;
use reqwest::Method;
use std::collections::BTreeMap;
use std::time::Duration;

async fn pool(server: &HttpServer, min_ready: u32, max_ready: u32) -> WarmPool {
    build(server).await;
    let request = CreateWarmPool {
        template_ref: Some("app".into()),
        name: Some("app-small".into()),
        min_ready: Some(min_ready),
        max_ready: Some(max_ready),
        resources: Some(AskedResources { vcpus: Some(2), memory_mb: Some(1024), disk_mb: None }),
        labels: Some(BTreeMap::from([("team".into(), "a=b".into())])),
        ..CreateWarmPool::default()
    };
    server.client.create_warm_pool(&request).await.unwrap()
}

async fn until_ready(server: &HttpServer, id: &str, ready: u32) {
    let wait = async {
        while server.client.warm_pool_status(id).await.unwrap().ready < ready {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the pool fills");
}

fn take(pool: &str, mode: CheckoutMode, wait_ms: u64) -> CreateSandbox {
    CreateSandbox {
        template: Some("app".into()),
        vcpus: Some(2),
        memory_mb: Some(512),
        warm_pool: Some(WarmPoolRequest { id: Some(pool.into()), mode: Some(mode), wait_ms: Some(wait_ms) }),
        ..CreateSandbox::default()
    }
}

#[tokio::test]
async fn a_ready_member_is_checked_out_and_the_receipt_stays() {
    let server = server().await;
    let pool = pool(&server, 1, 2).await;
    assert!(pool.id.starts_with("twp_app_small"), "{}", pool.id);
    until_ready(&server, &pool.id, 1).await;
    let request = take(&pool.id, CheckoutMode::Require, 3000);
    let sandbox = server.client.create_sandbox(&request, Some("key-1")).await.unwrap();
    assert_eq!(sandbox.status, SandboxStatus::Running);
    assert_eq!(sandbox.config.memory_mb, 1024);
    let receipt = sandbox.warm_pool_checkout.clone().unwrap();
    assert_eq!((receipt.source, receipt.hit), (CheckoutSource::ReadyInstance, true));
    // The same key is the same sandbox, and every later look shows the receipt.
    assert_eq!(server.client.create_sandbox(&request, Some("key-1")).await.unwrap().id, sandbox.id);
    assert_eq!(server.client.get_sandbox(&sandbox.id).await.unwrap().warm_pool_checkout, Some(receipt.clone()));
    let listed = server.client.list_sandboxes(&Default::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|item| item.warm_pool_checkout.clone()).collect::<Vec<_>>(), [Some(receipt)]);
}

#[tokio::test]
async fn an_empty_pool_refuses_who_requires_it_and_serves_others_cold() {
    let server = server().await;
    let pool = pool(&server, 0, 0).await;
    let refused = server.client.create_sandbox(&take(&pool.id, CheckoutMode::Require, 0), Some("k")).await.unwrap_err();
    let body = refused.body().unwrap();
    assert_eq!((body.code.as_str(), body.retryable), ("warm_pool_unavailable", Some(true)));
    assert_eq!(body.details.as_ref().unwrap()["reason"], "no_ready_inventory");
    assert!(server.client.list_sandboxes(&Default::default()).await.unwrap().items.is_empty());

    let cold = server.client.create_sandbox(&take(&pool.id, CheckoutMode::Prefer, 0), Some("k")).await.unwrap();
    let receipt = cold.warm_pool_checkout.unwrap();
    assert_eq!((receipt.source, receipt.miss_reason), (CheckoutSource::ColdCreate, Some(MissReason::NoReadyInventory)));
}

#[tokio::test]
async fn a_feature_that_does_not_exist_is_not_poolable() {
    let server = server().await;
    let pool = pool(&server, 0, 0).await;
    let with = |mode| CreateSandbox { desktop: Some(Default::default()), ..take(&pool.id, mode, 0) };
    let required = server.client.create_sandbox(&with(CheckoutMode::Require), None).await.unwrap_err();
    assert_eq!(required.body().unwrap().details.as_ref().unwrap()["reason"], "unpoolable_shape");
    let preferred = server.client.create_sandbox(&with(CheckoutMode::Prefer), None).await.unwrap_err();
    assert_eq!(preferred.code().unwrap().as_str(), "not_implemented");
    let unknown = CreateSandbox { desktop: Some(Default::default()), ..take("twp_none", CheckoutMode::Require, 0) };
    let unknown = server.client.create_sandbox(&unknown, None).await.unwrap_err();
    assert_eq!(unknown.code().unwrap().as_str(), "template_warm_pool_not_found");
}

#[tokio::test]
async fn actions_need_no_body_and_answer_with_the_pool() {
    let server = server().await;
    let pool = pool(&server, 0, 1).await;
    for (action, state) in [
        ("disable", "disabled"),
        ("enable", "enabled"),
        ("reconcile", "enabled"),
        ("drain", "draining"),
        ("enable", "enabled"),
    ] {
        let path = format!("/v1/template-warm-pools/{}/{action}", pool.id);
        let (status, answer) = call(&server, Method::POST, &path, None).await;
        assert_eq!((status.as_u16(), answer["state"].as_str()), (200, Some(state)), "{action}: {answer}");
    }
    let explained = server.client.explain_warm_pool(&pool.id).await.unwrap();
    assert_eq!(explained.pool.id, pool.id);
    let by_label = |label: &str| format!("/v1/template-warm-pools?label={label}");
    let (_, found) = call(&server, Method::GET, &by_label("team%3Da%3Db"), None).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let (_, found) = call(&server, Method::GET, &by_label("team%3Dother"), None).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 0);
    let deleted = server.client.delete_warm_pool(&pool.id).await.unwrap();
    assert_eq!(deleted.state, PoolState::Deleted);
    assert!(server.client.list_warm_pools(&Default::default()).await.unwrap().is_empty());
}
