//! How the CLI shows a pool: the keys and their order are fixed by spec cli §4, absent ones as null.

use crate::failure::Failure;
use crate::output;
use nullspace_api::warm_pools::{
    CheckoutMode, DegradedReason, PoolCounts, PoolResources, PoolState, RolloutStatus, VersionPolicy, WarmPool,
};
use nullspace_api::{Object, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub struct PoolId {
    pub id: String,
}

#[derive(Serialize)]
pub struct Deleted {
    pub id: String,
    pub warm_pool: PoolId,
    pub deleted: bool,
}

#[derive(Serialize)]
pub struct View {
    id: String,
    warm_pool: PoolId,
    name: String,
    template_ref: String,
    resolved_template: Option<String>,
    resolved_template_build_id: Option<String>,
    runtime_artifact_id: Option<String>,
    resources: PoolResources,
    min_ready: u32,
    max_ready: u32,
    checkout_policy: CheckoutMode,
    version_policy: VersionPolicy,
    track_tag: Option<String>,
    rollout_generation: Option<u32>,
    previous_resolved_template: Option<String>,
    previous_resolved_template_build_id: Option<String>,
    previous_runtime_artifact_id: Option<String>,
    rollout_status: Option<RolloutStatus>,
    status: PoolCounts,
    state: PoolState,
    degraded_reason: Option<DegradedReason>,
    labels: BTreeMap<String, String>,
    metadata: Object,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    enabled_at: Option<Timestamp>,
    disabled_at: Option<Timestamp>,
    drain_requested_at: Option<Timestamp>,
    last_reconciled_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
}

impl View {
    pub fn of(pool: WarmPool) -> Self {
        Self {
            warm_pool: PoolId { id: pool.id.clone() },
            id: pool.id,
            name: pool.name,
            template_ref: pool.template_ref,
            resolved_template: pool.resolved_template,
            resolved_template_build_id: pool.resolved_template_build_id,
            runtime_artifact_id: pool.runtime_artifact_id,
            resources: pool.resources,
            min_ready: pool.min_ready,
            max_ready: pool.max_ready,
            checkout_policy: pool.checkout_policy,
            version_policy: pool.version_policy,
            track_tag: pool.track_tag,
            rollout_generation: pool.rollout_generation,
            previous_resolved_template: pool.previous_resolved_template,
            previous_resolved_template_build_id: pool.previous_resolved_template_build_id,
            previous_runtime_artifact_id: pool.previous_runtime_artifact_id,
            rollout_status: Some(pool.rollout_status).filter(|status| *status != RolloutStatus::default()),
            status: pool.status,
            state: pool.state,
            degraded_reason: pool.degraded_reason,
            labels: pool.labels,
            metadata: pool.metadata,
            created_at: pool.created_at,
            updated_at: pool.updated_at,
            enabled_at: pool.enabled_at,
            disabled_at: pool.disabled_at,
            drain_requested_at: pool.drain_requested_at,
            last_reconciled_at: pool.last_reconciled_at,
            deleted_at: pool.deleted_at,
        }
    }

    /// One line for a person.
    pub fn line(&self) -> Result<(), Failure> {
        let (state, ready, target) = (word(&self.state), self.status.ready, self.status.target);
        output::line(format!("{}\t{state}\tready {ready}/{target}\t{}", self.id, self.template_ref))?;
        match &self.degraded_reason {
            Some(reason) => output::line(format!("degraded: {}", word(reason))),
            None => Ok(()),
        }
    }
}

/// An enum's word on the wire.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("a unit variant is a word, not {other:?}"),
    }
}
