//! Tenants see only what is theirs.

use super::setup::{call_as, sandbox, server};
use nullspace_api::Client;
use reqwest::Method;

#[tokio::test]
async fn what_belongs_to_another_tenant_does_not_exist() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    server.client.create_tenant("other").await.unwrap();
    let made = server.client.create_key("other").await.unwrap();
    let other = Client::new(&server.url, made.key.expose()).unwrap();
    assert!(other.list_sandboxes(&Default::default()).await.unwrap().items.is_empty());
    for path in [
        format!("/v1/sandboxes/{}", sandbox.id),
        format!("/v1/sandboxes/{}/processes", sandbox.id),
        format!("/v1/sandboxes/{}/files?path=/", sandbox.id),
        format!("/v1/sandboxes/{}/ports/80/preview-url", sandbox.id),
        format!("/v1/sandboxes/{}/preview-urls", sandbox.id),
        "/v1/templates/refs/default%2Fapp".to_owned(),
    ] {
        let (status, _, answer) = call_as(&server, made.key.expose(), Method::GET, &path, None).await;
        assert_eq!(status.as_u16(), 404, "{path}: {answer}");
    }
    // Managing is the operator's.
    assert_eq!(other.create_tenant("third").await.unwrap_err().code().unwrap().as_str(), "forbidden");

    let keys = server.client.list_keys("other").await.unwrap().items;
    assert!(keys.iter().any(|key| key.id == made.id));
    let wrong = server.client.revoke_key("default", &made.id).await.unwrap_err();
    assert_eq!(wrong.code().unwrap().as_str(), "key_not_found");
    server.client.revoke_key("other", &made.id).await.unwrap();
    assert_eq!(other.list_templates().await.unwrap_err().code().unwrap().as_str(), "unauthorized");
}
