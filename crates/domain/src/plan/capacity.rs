//! Whether there is a host and quota for one more machine. What the plan has placed is counted too.

use crate::limits::{Limits, MEMORY_OVERHEAD_MB};
use crate::world::{Health, World};
use crate::{ArtifactId, NodeId, Resources, TenantId};
use std::collections::{BTreeMap, BTreeSet};

/// Why a machine cannot be started now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blocked {
    /// The tenant has used what it may. Says which limit.
    Quota(String),
    /// No host that is up has room for it.
    NoHost(String),
    /// Hosts have room, and none has the artifact.
    ArtifactMissing(String),
    /// Hosts are starting as many as they may: it is this pool's turn soon.
    Busy,
    /// One has just been let go to make room.
    Replacing,
}

pub(super) struct Capacity<'a> {
    hosts: BTreeMap<&'a NodeId, Host<'a>>,
    tenants: BTreeMap<&'a TenantId, Quota>,
}

struct Host<'a> {
    memory_mb: u64,
    disk_mb: u64,
    starts: u32,
    missing: &'a BTreeSet<ArtifactId>,
}

struct Quota {
    instances: Option<u32>,
    memory_mb: Option<u64>,
}

impl<'a> Capacity<'a> {
    /// What is left. Only hosts that are up take new machines; what may be running on a silent one
    /// stays counted there.
    pub fn of(world: &'a World, limits: &Limits) -> Self {
        let up = world.nodes.iter().filter(|(_, node)| node.health == Health::Up);
        let hosts = up.map(|(id, node)| {
            let host = Host {
                memory_mb: node.memory_mb.saturating_sub(node.memory_used_mb),
                disk_mb: node.disk_mb.saturating_sub(node.disk_used_mb),
                starts: limits.starts_per_node.saturating_sub(node.starting),
                missing: &node.missing_artifacts,
            };
            (id, host)
        });
        let tenants = world.tenants.iter().map(|(id, tenant)| {
            let quota = Quota {
                instances: tenant.instances_max.map(|max| max.saturating_sub(tenant.instances_used)),
                memory_mb: tenant.memory_mb_max.map(|max| max.saturating_sub(tenant.memory_mb_used)),
            };
            (id, quota)
        });
        Self { hosts: hosts.collect(), tenants: tenants.collect() }
    }

    /// Takes room for one machine on the host with the most memory left.
    pub fn place(&mut self, tenant: &TenantId, resources: Resources, artifact: &ArtifactId) -> Result<NodeId, Blocked> {
        self.check_quota(tenant, resources)?;
        let memory = u64::from(resources.memory_mb) + u64::from(MEMORY_OVERHEAD_MB);
        let disk = u64::from(resources.disk_mb);
        let mut why = if self.hosts.is_empty() {
            Blocked::NoHost("no host is up".to_owned())
        } else {
            Blocked::NoHost(format!("no host has {memory} MB of memory and {disk} MB of disk left"))
        };
        let mut best: Option<(&NodeId, &mut Host<'_>)> = None;
        for (&id, host) in &mut self.hosts {
            if host.memory_mb < memory || host.disk_mb < disk {
                continue;
            }
            if host.missing.contains(artifact) {
                if why != Blocked::Busy {
                    why = Blocked::ArtifactMissing(format!("artifact {artifact} is on no host that has room"));
                }
                continue;
            }
            why = Blocked::Busy;
            if host.starts > 0 && best.as_ref().is_none_or(|(_, best)| best.memory_mb < host.memory_mb) {
                best = Some((id, host));
            }
        }
        let Some((id, host)) = best else { return Err(why) };
        host.memory_mb -= memory;
        host.disk_mb -= disk;
        host.starts -= 1;
        let id = id.clone();
        if let Some(quota) = self.tenants.get_mut(tenant) {
            quota.instances = quota.instances.map(|left| left - 1);
            quota.memory_mb = quota.memory_mb.map(|left| left - u64::from(resources.memory_mb));
        }
        Ok(id)
    }

    fn check_quota(&self, tenant: &TenantId, resources: Resources) -> Result<(), Blocked> {
        let Some(quota) = self.tenants.get(tenant) else { return Ok(()) };
        if quota.instances == Some(0) {
            return Err(Blocked::Quota("the tenant has as many machines as it may".to_owned()));
        }
        if quota.memory_mb.is_some_and(|left| left < u64::from(resources.memory_mb)) {
            let needed = resources.memory_mb;
            return Err(Blocked::Quota(format!("the tenant has less than {needed} MB of its memory quota left")));
        }
        Ok(())
    }
}
