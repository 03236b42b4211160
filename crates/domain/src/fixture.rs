//! Pools, machines and moments for the tests of this crate, in as few words as possible.

use crate::instance::{Event, Instance, State};
use crate::warm_pool::{Generation, Mode, PoolState, VersionPolicy, WarmPool};
use crate::world::Resolved;
use crate::{
    ArtifactId, BuildId, InstanceId, NodeId, Resources, SandboxId, TemplateId, TenantId, Timestamp, WarmPoolId,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many seconds after the epoch of the tests.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a moment of this century")
}

pub fn resources(vcpus: u32, memory_mb: u32, disk_mb: u32) -> Resources {
    Resources { vcpus, memory_mb, disk_mb }
}

pub fn build(name: &str) -> Resolved {
    Resolved { build: BuildId::from_body(name), artifact: ArtifactId::from_body(name) }
}

/// An enabled pool that keeps two members of build `b1`, at most four.
pub fn pool(name: &str) -> WarmPool {
    let template = TemplateId::from_body(name);
    WarmPool {
        id: WarmPoolId::from_body(name),
        tenant: TenantId::from_body("t1"),
        name: name.to_owned(),
        template_ref: name.to_owned(),
        template: template.clone(),
        state: PoolState::Enabled,
        min_ready: 2,
        max_ready: 4,
        resources: resources(2, 1024, 4096),
        internet_access: true,
        checkout_policy: Mode::Prefer,
        version_policy: VersionPolicy::TrackTag { tag: "stable".to_owned() },
        idle_timeout: Duration::from_secs(600),
        stale_after: Duration::from_secs(900),
        current: Generation {
            number: 1,
            template,
            build: build("b1").build,
            artifact: build("b1").artifact,
            started_at: at(0),
            cut_over_at: Some(at(0)),
        },
        previous: None,
        abandoned: None,
        failures_in_a_row: 0,
        degraded: None,
        last_demand_at: None,
        labels: BTreeMap::new(),
        metadata: serde_json::Map::new(),
        created_at: at(0),
        updated_at: at(0),
        enabled_at: Some(at(0)),
        disabled_at: None,
        drain_requested_at: None,
        drained_at: None,
        last_reconciled_at: None,
        deleted_at: None,
        revision: 1,
    }
}

/// A row of what the pool makes now.
pub fn instance(pool: &WarmPool, name: &str) -> Instance {
    Instance {
        id: InstanceId::from_body(name),
        tenant: pool.tenant.clone(),
        pool: Some(pool.id.clone()),
        generation: pool.current.number,
        template: pool.current.template.clone(),
        build: pool.current.build.clone(),
        artifact: pool.current.artifact.clone(),
        resources: pool.resources,
        internet_access: pool.internet_access,
        reserved_for: None,
        state: State::Requested,
        created_at: at(0),
        revision: 0,
    }
}

impl Instance {
    pub fn starting(mut self, node: &str, since: i64) -> Self {
        self.created_at = at(since);
        self.moved(Event::Placed { node: NodeId::from_body(node) }, since)
    }

    pub fn ready(self, node: &str, since: i64) -> Self {
        self.starting(node, since).moved(Event::BecameReady, since)
    }

    pub fn bound(self, node: &str, since: i64) -> Self {
        self.ready(node, since).moved(Event::Bind { to: SandboxId::from_body("s1") }, since)
    }

    pub fn moved(mut self, event: Event, when: i64) -> Self {
        self.apply(event, at(when)).expect("a legal move");
        self
    }
}
