//! A sandbox's life apart from what runs in it.

use super::setup::{build, call, sandbox, server};
use nullspace_api::sandboxes::{CreateSandbox, SandboxListQuery, SandboxStatus, SetTimeout};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_timeout_is_measured_from_now_and_both_its_names_agree() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let set = SetTimeout { timeout_ms: 3_600_000, timeout_action: None };
    let changed = server.client.set_timeout(&sandbox.id, &set).await.unwrap();
    assert_eq!((changed.timeout_ms, changed.timeout_at), (Some(3_600_000), changed.expires_at));
    let later = changed.timeout_at.unwrap().duration_since(sandbox.timeout_at.unwrap());
    assert!(later.as_secs() > 3000, "{later:?}");
}

#[tokio::test]
async fn metrics_are_an_array_of_exactly_the_published_keys() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let (_, samples) = call(&server, Method::GET, &format!("/v1/sandboxes/{}/metrics", sandbox.id), None).await;
    let mut keys: Vec<_> = samples[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "cpu_count",
            "cpu_percent",
            "disk_total_bytes",
            "disk_used_bytes",
            "mem_total_bytes",
            "mem_used_bytes",
            "network_rx_bytes",
            "network_tx_bytes",
            "timestamp"
        ]
    );
}

#[tokio::test]
async fn a_list_is_filtered_paged_and_reduced() {
    let server = server().await;
    build(&server).await;
    for owner in ["a", "b", "b"] {
        let metadata = json!({ "owner": owner }).as_object().cloned();
        let request = CreateSandbox { template: Some("app".into()), metadata, ..CreateSandbox::default() };
        server.client.create_sandbox(&request, None).await.unwrap();
    }
    let query = SandboxListQuery { metadata: Some(r#"{"owner":"b"}"#.into()), ..Default::default() };
    assert_eq!(server.client.list_sandboxes(&query).await.unwrap().items.len(), 2);
    let first = SandboxListQuery { limit: Some(2), ..Default::default() };
    let page = server.client.list_sandboxes(&first).await.unwrap();
    assert!(page.has_next && page.items.len() == 2);
    let rest = SandboxListQuery { limit: Some(2), next_token: page.next_token, ..Default::default() };
    let page = server.client.list_sandboxes(&rest).await.unwrap();
    assert!(!page.has_next && page.items.len() == 1);
    let (_, reduced) = call(&server, Method::GET, "/v1/sandboxes?fields=id,status&state=running,paused", None).await;
    assert!(reduced["items"].as_array().unwrap().iter().all(|item| item.as_object().unwrap().len() == 2), "{reduced}");
}

#[tokio::test]
async fn a_key_used_for_another_request_is_a_conflict_and_a_killed_sandbox_is_still_shown() {
    let server = server().await;
    build(&server).await;
    let request =
        |memory| CreateSandbox { template: Some("app".into()), memory_mb: Some(memory), ..Default::default() };
    let made = server.client.create_sandbox(&request(256), Some("k")).await.unwrap();
    let other = server.client.create_sandbox(&request(512), Some("k")).await.unwrap_err();
    assert_eq!(other.code().unwrap().as_str(), "conflict");
    let killed = server.client.kill_sandbox(&made.id).await.unwrap();
    assert_eq!(killed.status, SandboxStatus::Destroyed);
    assert_eq!(server.client.get_sandbox(&made.id).await.unwrap().status, SandboxStatus::Destroyed);
}
