//! A server with a template, and what tests ask of it.

use futures::StreamExt;
use nullspace_api::build_request::BuildRequest;
use nullspace_api::builds::LogEntry;
use nullspace_api::sandboxes::{CreateSandbox, Sandbox};
use nullspace_testkit::http_server::KEY;
use nullspace_testkit::{AgentNode, HttpServer};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::sync::Arc;

/// A server with nothing in it.
pub async fn server() -> HttpServer {
    HttpServer::start(Arc::new(AgentNode::default())).await.expect("a server")
}

/// Builds `app`, and gives the whole log.
pub async fn build(server: &HttpServer) -> Vec<LogEntry> {
    let request =
        BuildRequest { name: Some("app".into()), base_image: Some("busybox".into()), ..BuildRequest::default() };
    let log = server.client.build_template(&request).await.expect("a build");
    log.map(|entry| entry.expect("a log entry")).collect().await
}

/// A sandbox of `app`, whose directory is the test's own.
pub async fn sandbox(server: &HttpServer) -> Sandbox {
    build(server).await;
    let cwd = server.directory.path().join("workspace");
    std::fs::create_dir_all(&cwd).expect("a workspace");
    let request = CreateSandbox {
        template: Some("app".into()),
        cwd: Some(cwd.to_str().expect("a path of text").into()),
        ..CreateSandbox::default()
    };
    server.client.create_sandbox(&request, None).await.expect("a sandbox")
}

/// One call as bytes would make it.
pub async fn call(server: &HttpServer, method: Method, path: &str, body: Option<&str>) -> (StatusCode, Value) {
    let (status, _, body) = call_as(server, KEY, method, path, body).await;
    (status, body)
}

/// The same with another key, and with the headers.
pub async fn call_as(
    server: &HttpServer,
    key: &str,
    method: Method,
    path: &str,
    body: Option<&str>,
) -> (StatusCode, reqwest::header::HeaderMap, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut request = client.request(method, format!("{}{path}", server.url)).bearer_auth(key);
    if let Some(body) = body {
        request = request.body(body.to_owned());
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.expect("a body");
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
    (status, headers, body)
}
