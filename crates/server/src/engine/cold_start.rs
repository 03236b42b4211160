//! A sandbox on a machine made for it: the row first, reserved for this sandbox, then the host.

use super::checkout::{new_sandbox, record};
use super::parse_create::Asked;
use super::{Caller, Engine, Error};
use crate::records::{Build, Receipt, Sandbox, SandboxStatus, Template};
use crate::store::{instances, sandboxes, tenants};
use nullspace_domain::instance::{End, Event, Instance, State};
use nullspace_domain::limits::MEMORY_OVERHEAD_MB;
use nullspace_domain::resources::DISK_MB_DEFAULT;
use nullspace_domain::warm_pool::later;
use nullspace_domain::{Ids, InstanceId, Resources};
use nullspace_node::api::{MachineSpec, StartError};
use rusqlite::Connection;
use std::sync::Arc;

/// What a host has for machines.
#[derive(Debug, Clone, Copy)]
struct Room {
    memory_mb: u64,
}

impl Engine {
    /// Makes a machine for one sandbox. Nothing but the failed row is left if it cannot be had.
    pub(super) async fn start_cold(
        &self,
        caller: &Arc<Caller>,
        asked: &Arc<Asked>,
        template: &Template,
        build: &Build,
        receipt: Option<Receipt>,
    ) -> Result<Sandbox, Error> {
        let artifact = build.artifact.clone();
        let artifact = artifact.ok_or_else(|| Error::TemplateNotFound { reference: asked.reference.to_string() })?;
        let _permit =
            self.inner.cold_starts.acquire().await.map_err(|error| Error::internal("start a machine", error))?;
        let now = self.now();
        let sandbox_id = self.inner.entropy.with(Ids::sandbox);
        let mut instance = Instance {
            id: self.inner.entropy.with(Ids::instance),
            tenant: caller.tenant.clone(),
            pool: None,
            generation: 0,
            template: template.id.clone(),
            build: build.id.clone(),
            artifact,
            resources: with_disk(asked.resources, build),
            internet_access: asked.request.internet_access,
            reserved_for: Some(sandbox_id.clone()),
            state: State::Requested,
            created_at: now,
            revision: 0,
        };
        let node = self.node_id();
        instance.apply(Event::Placed { node }, now).map_err(|error| Error::internal("place a machine", error))?;
        let room = Room { memory_mb: self.host_status().await.memory_mb };
        let spec = machine_spec(&instance);
        let (who, what, row) = (caller.clone(), asked.clone(), instance);
        let insert = move |tx: &rusqlite::Transaction<'_>| {
            admit(tx, &who, &row, room)?;
            instances::instance_insert(tx, &row)?;
            let sandbox = new_sandbox(&who, &what, &row, sandbox_id, receipt, now);
            record(tx, &what, &sandbox)?;
            Ok::<_, Error>(())
        };
        self.inner.store.write(insert).await?;
        self.finish_cold(spec).await
    }

    /// Starts the machine of a sandbox that is being created, and hands it over. Also after a restart.
    pub(super) async fn finish_cold(&self, spec: MachineSpec) -> Result<Sandbox, Error> {
        let id = spec.id.clone();
        let artifact = spec.artifact.clone();
        let deadline = self.inner.config.limits.start_deadline;
        let started = match tokio::time::timeout(deadline, self.inner.node.start(spec)).await {
            Ok(started) => started,
            Err(_) => Err(StartError::Failed(format!("it was not ready after {} s", deadline.as_secs()))),
        };
        if let Err(error) = started {
            if let StartError::ArtifactUnavailable(_) = error {
                self.memory(|memory| memory.missing_artifacts.insert(artifact));
            }
            self.machine_failed(&id, End::Failed, error.to_string()).await?;
            return Err(match error {
                StartError::NoRoom { .. } => Error::NoEligibleHost { detail: error.to_string() },
                StartError::Stopped => {
                    Error::Conflict { message: "the sandbox was killed while it started".to_owned() }
                }
                other => Error::StartFailed { detail: other.to_string() },
            });
        }
        let sandbox = self.hand_over(&id).await?;
        if let Err(error) = self.inner.node.resume(&id).await {
            let detail = error.to_string();
            self.machine_failed(&id, End::Failed, detail.clone()).await?;
            return Err(Error::StartFailed { detail });
        }
        Ok(sandbox)
    }

    /// The machine is ready and its sandbox's: both rows say so together.
    async fn hand_over(&self, id: &InstanceId) -> Result<Sandbox, Error> {
        let (id, now) = (id.clone(), self.now());
        let bind = move |tx: &rusqlite::Transaction<'_>| {
            let killed = || Error::Conflict { message: "the sandbox was killed while it started".to_owned() };
            let mut instance = instances::instance(tx, &id)?.ok_or_else(killed)?;
            let mut sandbox = sandboxes::sandbox_on(tx, &id)?.ok_or_else(killed)?;
            let before = instance.revision;
            instance.apply(Event::BecameReady, now).map_err(|_| killed())?;
            if !instances::instance_update(tx, &instance, before)? {
                return Err(killed());
            }
            sandbox.status = SandboxStatus::Running;
            sandbox.started_at = Some(now);
            sandbox.timeout_at = Some(later(now, sandbox.timeout));
            sandboxes::sandbox_update(tx, &mut sandbox)?;
            Ok(sandbox)
        };
        self.inner.store.write(bind).await
    }
}

/// What the host is told.
pub(crate) fn machine_spec(instance: &Instance) -> MachineSpec {
    MachineSpec {
        id: instance.id.clone(),
        artifact: instance.artifact.clone(),
        resources: instance.resources,
        internet_access: instance.internet_access,
    }
}

/// The asked size; nobody's disk is smaller than what its template was built with.
pub(super) fn with_disk(asked: Resources, build: &Build) -> Resources {
    let disk_mb = match asked.disk_mb {
        0 => build.resources.disk_mb.max(DISK_MB_DEFAULT),
        asked => asked.max(build.resources.disk_mb),
    };
    Resources { disk_mb, ..asked }
}

/// Counts the new machine against the tenant's quota and the host before it exists.
fn admit(tx: &Connection, caller: &Caller, instance: &Instance, room: Room) -> Result<(), Error> {
    let memory = u64::from(instance.resources.memory_mb);
    if let Some(tenant) = tenants::tenant(tx, &caller.tenant)? {
        let used = instances::use_of_tenant(tx, &caller.tenant)?;
        if tenant.instances_max.is_some_and(|most| used.instances >= most) {
            return Err(Error::QuotaExceeded {
                message: format!("{} machines are in use, which is all of the quota", used.instances),
            });
        }
        if tenant.memory_mb_max.is_some_and(|most| used.memory_mb + memory > most) {
            return Err(Error::QuotaExceeded {
                message: format!("{} MB are in use and {memory} MB more exceed the quota", used.memory_mb),
            });
        }
    }
    if let Some(node) = instance.node() {
        let used = instances::use_of_node(tx, node)?;
        let overhead = u64::from(MEMORY_OVERHEAD_MB);
        let taken = used.memory_mb + overhead * u64::from(used.instances);
        if taken + memory + overhead > room.memory_mb {
            let total = room.memory_mb;
            return Err(Error::NoEligibleHost { detail: format!("{taken} of {total} MB of memory are in use") });
        }
    }
    Ok(())
}
