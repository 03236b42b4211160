//! `POST /v1/sandboxes/{id}/ports/{port}/readiness`: waits until a port answers. "Not ready" is an
//! answer, not an error.

use super::port;
use crate::engine::{self, Caller};
use crate::http::App;
use crate::http::extract::{Json, OptionalJson, Path};
use crate::http::limits::{READINESS_INTERVAL_MIN, READINESS_TIME_MAX};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest;
use axum::extract::State;
use nullspace_api::Timestamp;
use nullspace_api::preview::{PreviewReadiness, ReadinessKind, ReadinessRequest};
use nullspace_guest::client;
use nullspace_guest::protocol::Probe;
use std::time::Duration;
use tokio::time::Instant;

/// Waits until something answers on a port.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/ports/{port}/readiness", tag = "preview", params(("id" = String, Path), ("port" = u32, Path)), request_body = Option<ReadinessRequest>, responses((status = 200, body = PreviewReadiness)))]
pub async fn port_readiness(
    State(app): State<App>,
    caller: Caller,
    Path((id, at)): Path<(String, u32)>,
    OptionalJson(body): OptionalJson<ReadinessRequest>,
) -> Result<Json<PreviewReadiness>, Error> {
    let at = port::parse(at)?;
    let sandbox = port::sandbox(&app, &caller, &id).await?;
    let kind = body.kind.unwrap_or_default();
    let path = body.path.unwrap_or_else(|| "/".into());
    if !path.starts_with('/') || path.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(Error::invalid("path", "`path` begins with `/` and holds no spaces or control characters"));
    }
    let probe = match kind {
        ReadinessKind::Tcp => Probe::Tcp { port: at },
        ReadinessKind::Http => Probe::Http { port: at, path: path.clone() },
    };
    let time = Duration::from_secs(body.timeout_secs.unwrap_or(30)).min(READINESS_TIME_MAX);
    let interval =
        Duration::from_millis(body.interval_ms.unwrap_or(500)).clamp(READINESS_INTERVAL_MIN, READINESS_TIME_MAX);
    let started = Instant::now();
    let deadline = started + time;
    let mut attempts = 0;
    let outcome = loop {
        attempts += 1;
        let attempt =
            tokio::time::timeout_at(deadline.max(Instant::now() + interval), once(&app, &caller, &id, &probe));
        let why = match attempt.await {
            Ok(Ok(None)) => break Ok(()),
            Ok(Ok(Some(why))) => why,
            Ok(Err(error)) => return Err(error),
            Err(_) => "the sandbox did not answer".to_owned(),
        };
        if Instant::now() + interval >= deadline {
            break Err(why);
        }
        tokio::time::sleep(interval).await;
    };
    let ready = outcome.is_ok();
    Ok(Json(PreviewReadiness {
        ready,
        route_ready: true,
        service_ready: ready,
        sandbox_id: sandbox.to_string(),
        port: at,
        kind,
        checked_at: Timestamp::now(),
        elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        attempts,
        path: (kind == ReadinessKind::Http).then_some(path),
        code: (!ready).then(|| "service_not_ready".into()),
        error: outcome.err(),
        suggested_action: (!ready).then(|| "start a server on this port, listening on 0.0.0.0 or 127.0.0.1".into()),
    }))
}

/// One attempt: nothing when it succeeded, else why not.
async fn once(app: &App, caller: &Caller, sandbox: &str, probe: &Probe) -> Result<Option<String>, Error> {
    let guest = match guest::open(app, caller, sandbox).await {
        Ok(guest) => guest,
        Err(Error::Engine(engine::Error::Unresponsive { detail, .. })) => return Ok(Some(detail)),
        Err(error) => return Err(error),
    };
    match client::probe(guest.stream, probe.clone()).await {
        Ok(probed) if probed.ready => Ok(None),
        Ok(probed) => Ok(Some(probed.detail)),
        Err(error) => Ok(Some(error.to_string())),
    }
}
