//! Paths of the published contract that this server does not serve yet: 501, naming the feature, so
//! that a client can tell "not here" from "not there".

use super::Error;
use crate::engine::Caller;
use crate::http::App;
use axum::Router;
use axum::routing::any;

/// Path and feature. A path leaves this list when its verb gets a file.
const PATHS: &[(&str, &str)] = &[
    ("/v1/templates/refs/{ref}/aliases", "template aliases"),
    ("/v1/templates/refs/{ref}/aliases/{alias}", "template aliases"),
    ("/v1/templates/refs/{ref}/visibility", "template visibility"),
    ("/v1/templates/refs/{ref}/rename", "template rename"),
    ("/v1/templates/claims", "template name claims"),
    ("/v1/templates/claims/{claim_token}", "template name claims"),
    ("/v1/templates/namespaces/{slug}", "template namespaces"),
    ("/v1/sandboxes/{id}/hibernate", "hibernate"),
    ("/v1/sandboxes/{id}/snapshots", "snapshots"),
    ("/v1/sandboxes/{id}/fork", "fork"),
    ("/v1/sandboxes/{id}/resume", "resume"),
    ("/v1/sandboxes/{id}/lifecycle", "lifecycle events"),
    ("/v1/sandboxes/{id}/lifecycle/ws", "lifecycle events"),
    ("/v1/sandboxes/{id}/pty", "pty"),
    ("/v1/sandboxes/{id}/pty/{session_id}", "pty"),
    ("/v1/sandboxes/{id}/pty/{session_id}/resize", "pty"),
    ("/v1/sandboxes/{id}/ports/{port}/preview-proxy-target", "preview proxy targets"),
    ("/v1/sandboxes/{id}/ssh-access", "ssh access"),
    ("/v1/sandboxes/{id}/volumes", "volumes"),
    ("/v1/sandboxes/{id}/volumes/{*rest}", "volumes"),
    ("/v1/sandboxes/{id}/files/find", "content search"),
    ("/v1/sandboxes/{id}/files/search", "file search"),
    ("/v1/sandboxes/{id}/files/replace", "replace in files"),
    ("/v1/sandboxes/{id}/files/download-url", "download URLs"),
    ("/v1/sandboxes/{id}/files/upload-url", "upload URLs"),
    ("/v1/sandboxes/{id}/uploads", "resumable uploads"),
    ("/v1/sandboxes/{id}/uploads/{*rest}", "resumable uploads"),
    ("/v1/sandboxes/{id}/code/{*rest}", "code interpreter"),
    ("/v1/sandboxes/{id}/desktop/{*rest}", "desktop"),
    ("/v1/snapshots", "snapshots"),
    ("/v1/snapshots/{*rest}", "snapshots"),
    ("/v1/volumes", "volumes"),
    ("/v1/volumes/{*rest}", "volumes"),
    ("/v1/lifecycle/{*rest}", "lifecycle events"),
    ("/v1/monitor/ws", "monitor"),
    ("/v1/agent-deployments", "agent deployments"),
    ("/v1/agent-deployments/{*rest}", "agent deployments"),
];

/// Answers on all of them, for any method.
pub fn router() -> Router<App> {
    PATHS.iter().fold(Router::new(), |router, (path, feature)| {
        router.route(path, any(move |_: Caller| async move { Error::not_implemented(*feature) }))
    })
}
