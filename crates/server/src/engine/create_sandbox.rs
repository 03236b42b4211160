//! A sandbox: a ready member of a pool if there is one, else what the mode asks for.

use super::checkout::{Attempt, Looked, Outcome};
use super::parse_create::{self, Asked};
use super::waiters::Place;
use super::{Caller, Engine, Error, lookup};
use crate::records::{Build, MissReason, Receipt, Sandbox, SandboxStatus, Template};
use crate::store::{idempotency, sandboxes};
use nullspace_domain::checkout::OnMiss;
use nullspace_domain::warm_pool::Mode;
use nullspace_domain::{Ids, InstanceId, WarmPoolId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What is asked for. A dialect refuses what is not in here with `NotImplemented`.
#[derive(Debug, Clone, Serialize)]
pub struct CreateSandbox {
    /// Any template ref.
    pub template: String,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: Option<u32>,
    pub envs: BTreeMap<String, String>,
    pub cwd: Option<String>,
    pub metadata: serde_json::Map<String, serde_json::Value>,
    pub timeout: Duration,
    pub internet_access: bool,
    pub warm_pool: Option<PoolChoice>,
    /// One sandbox per key, for 24 hours, also across a restart.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// How a create uses a pool.
#[derive(Debug, Clone, Serialize)]
pub struct PoolChoice {
    /// May be absent with `bypass` only.
    pub id: Option<String>,
    /// None means the pool's own policy.
    pub mode: Option<Mode>,
    /// Clamped to `limits::CHECKOUT_WAIT_MAX`.
    pub wait: Duration,
}

impl Engine {
    /// Returns when commands can be run in it. Goes on when its caller goes away: a client that lost
    /// its connection asks again with the same key.
    pub async fn create_sandbox(&self, caller: &Caller, request: CreateSandbox) -> Result<Sandbox, Error> {
        let asked = parse_create::parse(request)?;
        let held = match &asked.request.idempotency_key {
            Some(key) => Some(self.inner.in_flight.hold(&caller.tenant, key).ok_or(Error::TransitionInProgress)?),
            None => None,
        };
        let (engine, caller) = (self.clone(), caller.clone());
        let work = self.spawn(async move {
            let _held = held;
            engine.create(Arc::new(caller), Arc::new(asked)).await
        });
        work.await.map_err(|error| Error::internal("create a sandbox", error))?
    }

    async fn create(&self, caller: Arc<Caller>, asked: Arc<Asked>) -> Result<Sandbox, Error> {
        let began = tokio::time::Instant::now();
        let mut tried = 0;
        let mut place: Option<Place> = None;
        loop {
            let waited = if place.is_some() { began.elapsed() } else { Duration::ZERO };
            let looked = self.look(&caller, &asked, place.as_ref(), waited, tried).await?;
            for dead in looked.dead {
                self.stop_machine(dead);
            }
            tried = looked.tried;
            let (pool, on_miss, mode, reason) = match looked.found {
                Found::Before(sandbox) => return Ok(*sandbox),
                Found::Unbuilt(template) => {
                    self.build_builtin(&template).await?;
                    continue;
                }
                Found::Cold { template, build, receipt } => {
                    drop(place);
                    return self.start_cold(&caller, &asked, &template, &build, receipt).await;
                }
                Found::Refused { pool, reason } => {
                    return Err(Error::WarmPoolUnavailable { pool, reason, waited_ms: milliseconds(waited) });
                }
                Found::Hit(sandbox) => {
                    self.pool_changed(sandbox.checkout.as_ref().and_then(|receipt| receipt.id.as_ref()));
                    let resuming = self.clone().resume_taken(sandbox.id.clone(), sandbox.instance.clone());
                    self.spawn(resuming);
                    return Ok(*sandbox);
                }
                Found::Missed { pool, wait, mode, on_miss, reason } => {
                    self.pool_changed(Some(&pool));
                    match (&place, wait.checked_sub(began.elapsed()).filter(|left| !left.is_zero())) {
                        // Looks once more after joining: a member may have come in between.
                        (None, Some(_)) => {
                            place = Some(self.inner.waiters.join(&pool));
                            continue;
                        }
                        (Some(place), Some(left)) => {
                            // The next look finds out whether it was woken or its time is over.
                            let _ = tokio::time::timeout(left, place.woken()).await;
                            continue;
                        }
                        (_, None) => (pool, on_miss, mode, reason),
                    }
                }
            };
            drop(place);
            let waited = if wait_was_asked(&asked) { began.elapsed() } else { Duration::ZERO };
            return match on_miss {
                OnMiss::Refuse => Err(Error::WarmPoolUnavailable { pool, reason, waited_ms: milliseconds(waited) }),
                OnMiss::StartCold => {
                    let receipt = Receipt::miss(pool, mode, waited, tried, reason);
                    self.start_cold_meant(&caller, &asked, receipt).await
                }
            };
        }
    }

    /// One transaction: the key, the template, the pool, and a member if there is one.
    async fn look(
        &self,
        caller: &Arc<Caller>,
        asked: &Arc<Asked>,
        place: Option<&Place>,
        waited: Duration,
        tried: u32,
    ) -> Result<Look, Error> {
        let pool = asked.pool.as_ref().and_then(|pool| pool.id.clone());
        let ahead = match (place, &pool) {
            (Some(place), _) => place.ahead(),
            (None, Some(pool)) => self.inner.waiters.count(pool),
            (None, None) => 0,
        };
        let sandbox = self.inner.entropy.with(Ids::sandbox);
        let (caller, asked, node, now) = (caller.clone(), asked.clone(), self.inner.node.clone(), self.now());
        let look = move |tx: &rusqlite::Transaction<'_>| {
            let plain = |found| Ok(Look { found, tried, dead: Vec::new() });
            if let Some(before) = replay(tx, &caller, &asked)? {
                return plain(Found::Before(Box::new(before)));
            }
            let template = lookup::template(tx, &caller, &asked.reference)?;
            if let Some(pool) = pool {
                let build = asked.reference.exact_build().cloned();
                let attempt = Attempt {
                    caller: &caller,
                    asked: &asked,
                    template: &template,
                    build,
                    pool: &pool,
                    ahead,
                    waited,
                    tried,
                    sandbox,
                    now,
                };
                let Looked { outcome, tried, dead } = attempt.look(tx, node.as_ref())?;
                let found = match outcome {
                    Outcome::Hit(sandbox) => Found::Hit(sandbox),
                    Outcome::Wait { mode, wait, on_miss, reason } => {
                        Found::Missed { pool, wait, mode, on_miss, reason }
                    }
                    Outcome::Refuse { reason } => Found::Refused { pool, reason },
                    Outcome::StartCold { receipt } => cold(tx, template, &asked, Some(receipt))?,
                };
                return Ok(Look { found, tried, dead });
            }
            let bypassed = asked.pool.is_some().then(|| Receipt::bypassed(None));
            plain(cold(tx, template, &asked, bypassed)?)
        };
        self.inner.store.write(look).await
    }

    /// After a wait: the template may have changed meanwhile.
    async fn start_cold_meant(
        &self,
        caller: &Arc<Caller>,
        asked: &Arc<Asked>,
        receipt: Receipt,
    ) -> Result<Sandbox, Error> {
        let (who, what) = (caller.clone(), asked.clone());
        let meant = move |connection: &rusqlite::Connection| {
            let template = lookup::template(connection, &who, &what.reference)?;
            let build = lookup::ready_build(connection, &template, &what.reference)?;
            let unknown = || Error::TemplateNotFound { reference: what.reference.to_string() };
            build.map(|build| (template, build)).ok_or_else(unknown)
        };
        let (template, build) = self.inner.store.read(meant).await?;
        self.start_cold(caller, asked, &template, &build, Some(receipt)).await
    }
}

/// What one look found.
struct Look {
    found: Found,
    tried: u32,
    dead: Vec<InstanceId>,
}

enum Found {
    /// The key made this before.
    Before(Box<Sandbox>),
    Hit(Box<Sandbox>),
    Missed {
        pool: WarmPoolId,
        wait: Duration,
        mode: Mode,
        on_miss: OnMiss,
        reason: MissReason,
    },
    Refused {
        pool: WarmPoolId,
        reason: MissReason,
    },
    Cold {
        template: Box<Template>,
        build: Box<Build>,
        receipt: Option<Receipt>,
    },
    /// A builtin that nobody has used yet.
    Unbuilt(Box<Template>),
}

/// What the key made, if it was used before.
fn replay(tx: &rusqlite::Connection, caller: &Caller, asked: &Asked) -> Result<Option<Sandbox>, Error> {
    let Some(key) = &asked.request.idempotency_key else { return Ok(None) };
    let Some(used) = idempotency::key_use(tx, &caller.tenant, key)? else { return Ok(None) };
    if used.fingerprint != asked.fingerprint {
        return Err(Error::IdempotencyConflict);
    }
    match sandboxes::sandbox(tx, &used.sandbox)? {
        // Begun before a restart, and being finished now.
        Some(sandbox) if sandbox.status == SandboxStatus::Creating => Err(Error::TransitionInProgress),
        found => Ok(found),
    }
}

fn cold(
    tx: &rusqlite::Connection,
    template: Template,
    asked: &Asked,
    receipt: Option<Receipt>,
) -> Result<Found, Error> {
    match lookup::ready_build(tx, &template, &asked.reference)? {
        Some(build) => Ok(Found::Cold { template: Box::new(template), build: Box::new(build), receipt }),
        None if template.is_builtin() => Ok(Found::Unbuilt(Box::new(template))),
        None => Err(Error::TemplateNotFound { reference: asked.reference.to_string() }),
    }
}

fn wait_was_asked(asked: &Asked) -> bool {
    asked.pool.as_ref().is_some_and(|pool| !pool.wait.is_zero())
}

fn milliseconds(waited: Duration) -> u64 {
    u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)
}
