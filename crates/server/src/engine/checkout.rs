//! A sandbox takes a ready member: one transaction, no foreign work.

use super::parse_create::Asked;
use super::{Caller, Error};
use crate::records::template::Template;
use crate::records::{MissReason, Receipt, Sandbox, SandboxStatus};
use crate::store::{idempotency, instances, pools, sandboxes};
use nullspace_domain::checkout::{self, Decision, OnMiss};
use nullspace_domain::instance::{End, Event, Instance};
use nullspace_domain::warm_pool::{Mode, WarmPool, later};
use nullspace_domain::{BuildId, InstanceId, SandboxId, Timestamp, WarmPoolId};
use nullspace_node::api::{Liveness, Node};
use rusqlite::Connection;
use std::time::Duration;

/// How many rows a checkout loads at first: the first is nearly always the one.
const LOOK_AT: u32 = 8;

/// How often unmet demand is written down.
const DEMAND_NOTED: Duration = Duration::from_secs(1);

/// One look at a pool.
pub(super) struct Attempt<'a> {
    pub caller: &'a Caller,
    pub asked: &'a Asked,
    pub template: &'a Template,
    /// The build the ref names exactly, if it does.
    pub build: Option<BuildId>,
    pub pool: &'a WarmPoolId,
    /// Members left to those who came before.
    pub ahead: usize,
    pub waited: Duration,
    /// Members found dead by earlier looks.
    pub tried: u32,
    /// The id the sandbox gets.
    pub sandbox: SandboxId,
    pub now: Timestamp,
}

/// What a look came to.
pub(super) enum Outcome {
    Hit(Box<Sandbox>),
    /// No member now; one may come within the wait.
    Wait {
        mode: Mode,
        wait: Duration,
        on_miss: OnMiss,
        reason: MissReason,
    },
    StartCold {
        receipt: Receipt,
    },
    Refuse {
        reason: MissReason,
    },
}

/// The outcome, and what the look found out on the way.
pub(super) struct Looked {
    pub outcome: Outcome,
    pub tried: u32,
    /// Members whose process is gone: told to end after the commit.
    pub dead: Vec<InstanceId>,
}

impl Attempt<'_> {
    /// Takes a member if the pool may serve this request and has one.
    pub(super) fn look(self, tx: &Connection, node: &dyn Node) -> Result<Looked, Error> {
        let pool = pools::pool_of(tx, &self.caller.tenant, self.pool)?;
        let mut pool = pool.ok_or_else(|| Error::WarmPoolNotFound { id: self.pool.to_string() })?;
        let choice = self.asked.pool.as_ref();
        let request = checkout::Request {
            mode: choice.and_then(|choice| choice.mode),
            wait: choice.map(|choice| choice.wait),
            template: self.template.id.clone(),
            build: self.build.clone(),
            resources: self.asked.resources,
            specials: self.asked.specials.clone(),
        };
        let mut tried = self.tried;
        let mut dead = Vec::new();
        let outcome = match checkout::decide(&pool, &request) {
            Decision::StartCold { mut receipt } => {
                receipt.wait_ms = u64::try_from(self.waited.as_millis()).unwrap_or(u64::MAX);
                receipt.candidates_tried = tried;
                Outcome::StartCold { receipt }
            }
            Decision::Refuse { reason, field: _ } => Outcome::Refuse { reason },
            Decision::Try { mode, wait, on_miss } => {
                let members = load_members(tx, &pool, &request, self.ahead, self.now)?;
                let mut taken = None;
                for member in checkout::candidates(&pool, &members, &request, self.now).into_iter().skip(self.ahead) {
                    tried += 1;
                    let mut member = member.clone();
                    let before = member.revision;
                    let alive = node.liveness(&member.id) == Liveness::Alive;
                    let event = match alive {
                        true => Event::Bind { to: self.sandbox.clone() },
                        false => Event::Stop { why: End::Lost },
                    };
                    member.apply(event, self.now).map_err(|error| Error::internal("take a member", error))?;
                    if !instances::instance_update(tx, &member, before)? {
                        continue;
                    }
                    if alive {
                        taken = Some(member);
                        break;
                    }
                    dead.push(member.id);
                }
                match taken {
                    Some(member) => {
                        let receipt = Receipt::hit(&member, mode, self.waited, tried);
                        Outcome::Hit(Box::new(self.bind(tx, member, receipt)?))
                    }
                    None => {
                        // To the second is enough, and does not disturb the planner's revision each time.
                        if pool.last_demand_at.is_none_or(|last| later(last, DEMAND_NOTED) <= self.now) {
                            pool.last_demand_at = Some(self.now);
                            pools::pool_update(tx, &mut pool)?;
                        }
                        Outcome::Wait { mode, wait, on_miss, reason: checkout::miss_reason(&pool, tried) }
                    }
                }
            }
        };
        Ok(Looked { outcome, tried, dead })
    }

    fn bind(&self, tx: &Connection, member: Instance, receipt: Receipt) -> Result<Sandbox, Error> {
        let sandbox = Sandbox {
            status: SandboxStatus::Running,
            started_at: Some(self.now),
            timeout_at: Some(later(self.now, self.asked.request.timeout)),
            // What it has, not what was asked for.
            internet_access: member.internet_access,
            ..new_sandbox(self.caller, self.asked, &member, self.sandbox.clone(), Some(receipt), self.now)
        };
        record(tx, self.asked, &sandbox)?;
        Ok(sandbox)
    }
}

/// Ready members in order, only as many as are needed: all of them matter only while a rollout mixes
/// builds.
fn load_members(
    tx: &Connection,
    pool: &WarmPool,
    request: &checkout::Request,
    ahead: usize,
    now: Timestamp,
) -> Result<Vec<Instance>, Error> {
    let most = LOOK_AT.saturating_add(u32::try_from(ahead).unwrap_or(u32::MAX));
    let first = instances::instances_ready_first(tx, &pool.id, most)?;
    let complete = (first.len() as u64) < u64::from(most);
    let enough =
        first.iter().all(|member| pool.makes(member)) && checkout::candidates(pool, &first, request, now).len() > ahead;
    if complete || enough {
        return Ok(first);
    }
    Ok(instances::instances_ready(tx, &pool.id)?)
}

/// A sandbox on a machine, not running yet.
pub(super) fn new_sandbox(
    caller: &Caller,
    asked: &Asked,
    instance: &Instance,
    id: SandboxId,
    checkout: Option<Receipt>,
    now: Timestamp,
) -> Sandbox {
    Sandbox {
        id,
        tenant: caller.tenant.clone(),
        template_ref: asked.request.template.clone(),
        template: instance.template.clone(),
        build: instance.build.clone(),
        status: SandboxStatus::Creating,
        resources: instance.resources,
        internet_access: instance.internet_access,
        envs: asked.request.envs.clone(),
        cwd: asked.request.cwd.clone(),
        metadata: asked.request.metadata.clone(),
        timeout: asked.request.timeout,
        created_at: now,
        started_at: None,
        timeout_at: None,
        ended_at: None,
        instance: instance.id.clone(),
        checkout,
        failure: None,
        revision: 1,
    }
}

/// The sandbox and what its Idempotency-Key made, together.
pub(super) fn record(tx: &Connection, asked: &Asked, sandbox: &Sandbox) -> Result<(), Error> {
    sandboxes::sandbox_insert(tx, sandbox)?;
    if let Some(key) = &asked.request.idempotency_key {
        let used = idempotency::Use { fingerprint: asked.fingerprint, sandbox: sandbox.id.clone() };
        idempotency::key_insert(tx, &sandbox.tenant, key, &used, sandbox.created_at)?;
    }
    Ok(())
}
