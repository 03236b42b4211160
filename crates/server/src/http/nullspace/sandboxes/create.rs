//! `POST /v1/sandboxes`: a ready instance if the pool has one, else what the mode asks for.

use super::view;
use crate::engine::{self, Caller, PoolChoice};
use crate::http::App;
use crate::http::extract::Json;
use crate::http::limits::{IDEMPOTENCY_KEY_MAX, SANDBOX_TIMEOUT_DEFAULT, SANDBOX_TIMEOUT_MAX};
use crate::http::nullspace::Error;
use crate::http::nullspace::warm_pools::view as pool_view;
use crate::records::MissReason;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use nullspace_api::sandboxes::{CreateSandbox, OnTimeout, Sandbox, TimeoutAction, WarmPoolRequest};
use nullspace_domain::WarmPoolId;
use nullspace_domain::limits::CHECKOUT_WAIT_MAX;
use nullspace_domain::warm_pool::Mode;
use std::time::Duration;

/// What published clients send when the user said nothing.
const TEMPLATE_DEFAULT: &str = "base";
const VCPUS_DEFAULT: u32 = 2;
const MEMORY_MB_DEFAULT: u32 = 512;

/// Creates a sandbox and answers when commands can be run in it.
#[utoipa::path(post, path = "/v1/sandboxes", tag = "sandboxes", params(("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = Sandbox)))]
pub async fn create_sandbox(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<CreateSandbox>,
) -> Result<(StatusCode, Json<Sandbox>), Error> {
    if let Some(field) = what_does_not_exist(&body) {
        return Err(refuse(&app, &caller, body.warm_pool, field).await?);
    }
    let request = parse(body, &headers)?;
    let sandbox = app.engine.create_sandbox(&caller, request).await?;
    Ok((StatusCode::CREATED, Json(view::sandbox(&sandbox))))
}

/// The first field that asks for a feature this server does not have. "Nothing" is recognised by
/// value, because published clients always send the first block of fields.
fn what_does_not_exist(body: &CreateSandbox) -> Option<&'static str> {
    let on_timeout = body.lifecycle.as_ref().and_then(|lifecycle| lifecycle.on_timeout);
    let asked = [
        ("snapshot_id", body.snapshot_id.is_some()),
        ("volumes", body.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty())),
        ("desktop", body.desktop.is_some()),
        ("network", body.network.is_some()),
        ("auto_resume", body.auto_resume == Some(true)),
        ("timeout_action", body.timeout_action == Some(TimeoutAction::Hibernate)),
        ("lifecycle.on_timeout", on_timeout == Some(OnTimeout::Pause)),
    ];
    asked.into_iter().find_map(|(field, asked)| asked.then_some(field))
}

/// Refuses a field. Who required a pool is told that the pool cannot serve this, as for every other
/// shape that is not poolable.
async fn refuse(
    app: &App,
    caller: &Caller,
    pool: Option<WarmPoolRequest>,
    field: &'static str,
) -> Result<Error, Error> {
    let Some((id, mode)) = pool.and_then(|pool| Some((pool.id?, pool.mode))) else {
        return Ok(Error::not_implemented(field));
    };
    // An unknown pool is the caller's error, whatever else is wrong.
    let info = app.engine.get_warm_pool(caller, &id).await?;
    let mode = mode.map_or(info.pool.checkout_policy, pool_view::parse_mode);
    let id: WarmPoolId = info.pool.id;
    Ok(match mode {
        Mode::Require => {
            engine::Error::WarmPoolUnavailable { pool: id, reason: MissReason::UnpoolableShape, waited_ms: 0 }.into()
        }
        Mode::Prefer | Mode::Bypass => Error::not_implemented(field),
    })
}

fn parse(body: CreateSandbox, headers: &HeaderMap) -> Result<engine::CreateSandbox, Error> {
    let timeout = match body.timeout_ms {
        Some(ms) => timeout(ms)?,
        None => SANDBOX_TIMEOUT_DEFAULT,
    };
    Ok(engine::CreateSandbox {
        template: body.template.unwrap_or_else(|| TEMPLATE_DEFAULT.into()),
        vcpus: body.vcpus.unwrap_or(VCPUS_DEFAULT),
        memory_mb: body.memory_mb.unwrap_or(MEMORY_MB_DEFAULT),
        disk_mb: body.disk_mb,
        envs: body.envs.unwrap_or_default(),
        cwd: body.cwd,
        metadata: body.metadata.unwrap_or_default(),
        timeout,
        internet_access: body.internet_access.unwrap_or(true),
        warm_pool: body.warm_pool.map(pool_choice).transpose()?,
        idempotency_key: idempotency_key(headers)?,
    })
}

/// A timeout that dates can hold.
pub fn timeout(ms: u64) -> Result<Duration, Error> {
    let timeout = Duration::from_millis(ms);
    if ms == 0 || timeout > SANDBOX_TIMEOUT_MAX {
        let max = SANDBOX_TIMEOUT_MAX.as_millis();
        return Err(Error::invalid("timeout_ms", format!("`timeout_ms` is 1 to {max}")));
    }
    Ok(timeout)
}

fn pool_choice(pool: WarmPoolRequest) -> Result<PoolChoice, Error> {
    let id = pool.id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let mode = pool.mode.map(pool_view::parse_mode);
    if id.is_none() && mode != Some(Mode::Bypass) {
        return Err(Error::invalid("warm_pool.id", "`warm_pool.id` is required unless the mode is `bypass`"));
    }
    let wait = Duration::from_millis(pool.wait_ms.unwrap_or(0)).min(CHECKOUT_WAIT_MAX);
    Ok(PoolChoice { id, mode, wait })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=IDEMPOTENCY_KEY_MAX).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        let message = format!("`Idempotency-Key` is 1 to {IDEMPOTENCY_KEY_MAX} visible ASCII characters");
        Error::invalid("Idempotency-Key", message)
    })
}
