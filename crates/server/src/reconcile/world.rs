//! The part of the world that is due, as the planner looks at it.

use crate::engine::create_warm_pool::build_to_fill;
use crate::engine::{Engine, Error};
use crate::records::{BuildStatus, Template};
use crate::store::{builds, instances, pools, templates, tenants};
use nullspace_domain::limits::MEMORY_OVERHEAD_MB;
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::warm_pool::{VersionPolicy, WarmPool};
use nullspace_domain::world::{Health, Node, PoolView, Resolved, Tenant, World};
use nullspace_domain::{NodeId, Timestamp, WarmPoolId};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

impl Engine {
    /// Hosts, without what is on them: enough to count by.
    pub(crate) fn known_nodes(&self) -> BTreeMap<NodeId, Node> {
        let (status, missing) = self.memory(|memory| (memory.node_status.clone(), memory.missing_artifacts.clone()));
        let node = Node {
            // The embedded host is there as long as this process is.
            health: Health::Up,
            memory_mb: status.as_ref().map_or(0, |status| status.memory_mb),
            disk_mb: status.as_ref().map_or(0, |status| status.disk_mb),
            memory_used_mb: 0,
            disk_used_mb: 0,
            starting: 0,
            missing_artifacts: missing,
        };
        BTreeMap::from([(self.node_id(), node)])
    }

    /// Reads what a plan for some pools needs: their rows, and totals of their hosts and tenants.
    pub(crate) async fn load_world(&self, due: &BTreeSet<WarmPoolId>) -> Result<World, Error> {
        // Asked once, so that memory and disk are known from the first plan on.
        self.host_status().await;
        let (engine, due, now) = (self.clone(), due.clone(), self.now());
        let load = move |connection: &Connection| {
            let mut world =
                World { now, nodes: engine.known_nodes(), pools: BTreeMap::new(), tenants: BTreeMap::new() };
            for (id, node) in &mut world.nodes {
                let used = instances::use_of_node(connection, id)?;
                node.memory_used_mb = used.memory_mb + u64::from(MEMORY_OVERHEAD_MB) * u64::from(used.instances);
                node.disk_used_mb = used.disk_mb;
                node.starting = used.starting;
            }
            let history = engine.inner.config.limits.history;
            let gone_since = now.saturating_sub(history).unwrap_or(Timestamp::MIN);
            for id in due {
                let Some(pool) = pools::pool(connection, &id)? else { continue };
                if !world.tenants.contains_key(&pool.tenant) {
                    let row = tenants::tenant(connection, &pool.tenant)?;
                    let used = instances::use_of_tenant(connection, &pool.tenant)?;
                    let tenant = Tenant {
                        instances_max: row.as_ref().and_then(|row| row.instances_max),
                        memory_mb_max: row.as_ref().and_then(|row| row.memory_mb_max),
                        instances_used: used.instances,
                        memory_mb_used: used.memory_mb,
                    };
                    world.tenants.insert(pool.tenant.clone(), tenant);
                }
                let rows = instances::instances_of_pool(connection, &id, gone_since)?;
                let view = PoolView {
                    instances: rows.into_iter().map(|row| (row.id.clone(), row)).collect(),
                    waiters: u32::try_from(engine.inner.waiters.count(&id)).unwrap_or(u32::MAX),
                    wanted: wanted(connection, &pool)?,
                    last_failure: engine.memory(|memory| memory.start_failures.get(&id).cloned()),
                    pool,
                };
                world.pools.insert(id, view);
            }
            Ok(world)
        };
        self.inner.store.read(load).await
    }
}

/// What the pool should fill: the build it is pinned to while that can be used, or what its tag points at.
fn wanted(connection: &Connection, pool: &WarmPool) -> Result<Option<Resolved>, Error> {
    let template = templates::template(connection, &pool.template)?;
    let Some(template) = template.filter(|template: &Template| template.deleted_at.is_none()) else { return Ok(None) };
    let build = match &pool.version_policy {
        VersionPolicy::PinnedBuild => builds::build(connection, &pool.current.build)?,
        VersionPolicy::TrackTag { .. } => match TemplateRef::parse(&pool.template_ref) {
            Ok(reference) => build_to_fill(connection, &template, &reference, &pool.version_policy)?,
            Err(_) => None,
        },
    };
    let usable = build.filter(|build| build.status == BuildStatus::Ready);
    Ok(usable.and_then(|build| Some(Resolved { build: build.id, artifact: build.artifact? })))
}
