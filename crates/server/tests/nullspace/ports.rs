//! Ports through the preview listener and the agent's tunnel.

use super::setup::{sandbox, server};
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use futures::{SinkExt, StreamExt};
use nullspace_api::preview::{GrantStatus, ReadinessRequest, SignPreview};
use reqwest::redirect::Policy;
use tokio_tungstenite::tungstenite::Message;

/// A server as one in a machine would be; the agent of these tests reaches this host's loopback.
async fn app() -> u16 {
    let seen = |headers: HeaderMap| async move {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
        format!("host={:?} cookie={:?} auth={:?}", text(HOST), text(COOKIE), headers.get("authorization").is_some())
    };
    let router = Router::new()
        .route("/", any(seen))
        .route("/echo", any(|body: axum::body::Bytes| async move { body }))
        .route("/cookie", get(|| async { [(SET_COOKIE, "s=1; Path=/")].into_response() }))
        .route("/sorry", get(|| async { (axum::http::StatusCode::IM_A_TEAPOT, "their own words") }))
        .route("/away", get(|| async { (axum::http::StatusCode::FOUND, [(LOCATION, "/there?a=1")]) }))
        .route(
            "/ws",
            any(|upgrade: WebSocketUpgrade| async move {
                upgrade.on_upgrade(|mut socket| async move {
                    while let Some(Ok(message)) = socket.recv().await {
                        if socket.send(message).await.is_err() {
                            return;
                        }
                    }
                })
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn browser() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap()
}

#[tokio::test]
async fn a_signed_url_reaches_the_port_and_the_machine_never_sees_the_token() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let port = app().await;
    let host = server.client.sandbox_host(&sandbox.id, port).await.unwrap();
    let url = host.url.unwrap();
    let base = url.split('?').next().unwrap().to_owned();
    assert!(base.ends_with(&format!("/p/{port}/{}/", sandbox.id)), "{base}");

    let first = browser().get(&url).send().await.unwrap();
    assert_eq!(first.status().as_u16(), 200);
    let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(first.headers()["referrer-policy"], "no-referrer");
    let text = first.text().await.unwrap();
    assert_eq!(text, format!("host=Some(\"localhost:{port}\") cookie=None auth=false"));

    // What follows comes by the cookie, which is scoped to this port and stripped before the machine.
    let follow = browser().get(&base).header("cookie", format!("{cookie}; mine=1")).send().await.unwrap();
    assert!(follow.text().await.unwrap().contains("cookie=Some(\"mine=1\")"));
    let echoed = browser().post(format!("{base}echo")).header("cookie", &cookie).body("x".repeat(300_000)).send().await;
    assert_eq!(echoed.unwrap().text().await.unwrap().len(), 300_000);
    let prefix = format!("/p/{port}/{}", sandbox.id);
    let set = browser().get(format!("{base}cookie")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(set.headers()["set-cookie"], format!("s=1; Path={prefix}/"));
    let sorry = browser().get(format!("{base}sorry")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!((sorry.status().as_u16(), sorry.text().await.unwrap().as_str()), (418, "their own words"));
    let moved = browser().get(format!("{base}away")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(moved.headers()["location"], format!("{prefix}/there?a=1"));
}

#[tokio::test]
async fn a_websocket_goes_through() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let port = app().await;
    let host = server.client.sandbox_host(&sandbox.id, port).await.unwrap();
    let url = host.websocket_url.unwrap().replace("/?", "/ws?");
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
}

#[tokio::test]
async fn no_token_a_foreign_one_or_a_revoked_one_does_not_get_in() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let port = app().await;
    let client = &server.client;
    let signed = client.sign_preview(&sandbox.id, port, &SignPreview { expires_in_seconds: Some(5) }).await.unwrap();
    let grant = &signed.grant;
    let life = grant.expires_at.unwrap().duration_since(grant.issued_at.unwrap());
    assert_eq!(life.as_secs(), 60, "a lifetime is at least a minute");
    let (base, query) = signed.url.split_once('?').unwrap();
    let other_port = base.replace(&format!("/{port}/"), "/81/");
    for (url, status, code) in [
        (base.to_owned(), 401, "edge_token_missing"),
        (format!("{base}?edge_token=nonsense"), 401, "edge_token_invalid"),
        (format!("{other_port}?{query}"), 403, "edge_token_scope_mismatch"),
        (format!("{}?{query}", base.replace(&format!("/{port}/"), "/22/")), 404, "not_found"),
    ] {
        let answer = browser().get(&url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{url}");
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["code"], code);
    }
    assert_eq!(browser().get(&signed.url).send().await.unwrap().status().as_u16(), 200);
    let listed = client.list_preview_urls(&sandbox.id, Some(port)).await.unwrap().items;
    assert_eq!(listed.iter().map(|grant| grant.id.as_str()).collect::<Vec<_>>(), [grant.id.as_str()]);
    let revoked = client.revoke_preview_url(&sandbox.id, &grant.id).await.unwrap();
    assert_eq!((revoked.success, revoked.grant.status), (true, Some(GrantStatus::Revoked)));
    let answer = browser().get(&signed.url).send().await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["code"], "preview_grant_revoked");
    let error = client.revoke_preview_url(&sandbox.id, "pvg_none").await.unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "preview_grant_not_found");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_not_ready_and_says_why() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let open = app().await;
    let quick = ReadinessRequest { timeout_secs: Some(1), interval_ms: Some(100), ..Default::default() };
    let ready = server.client.wait_for_port(&sandbox.id, open, &quick).await.unwrap();
    assert!(ready.ready && ready.service_ready, "{ready:?}");
    // Bound and not listening: nobody else gets it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = socket.local_addr().unwrap().port();
    let answer = server.client.wait_for_port(&sandbox.id, closed, &quick).await.unwrap();
    assert!(!answer.ready && answer.error.is_some() && answer.attempts > 1, "{answer:?}");
    let url = server.client.preview_url(&sandbox.id, closed).await.unwrap().url;
    let refused = browser().get(&url).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 502);
    assert_eq!(refused.json::<serde_json::Value>().await.unwrap()["code"], "preview_unavailable");
}
