//! Pools as clients see them.

use crate::engine::{IdentityCounts, PoolInfo};
use nullspace_api::warm_pools::{
    CheckoutMode, DegradedReason, PoolCounts, PoolResources, PoolState, RolloutCounts, RolloutIdentity, RolloutStatus,
    VersionPolicy, WarmPool,
};
use nullspace_domain::warm_pool as domain;

pub fn warm_pool(info: &PoolInfo) -> WarmPool {
    let pool = &info.pool;
    let (version_policy, track_tag) = policy(&pool.version_policy);
    WarmPool {
        id: pool.id.to_string(),
        name: pool.name.clone(),
        template_ref: pool.template_ref.clone(),
        state: state(pool.state),
        resolved_template: Some(info.resolved_template.clone()),
        resolved_template_build_id: Some(pool.current.build.to_string()),
        runtime_artifact_id: Some(pool.current.artifact.to_string()),
        resources: PoolResources {
            vcpus: pool.resources.vcpus,
            memory_mb: pool.resources.memory_mb,
            disk_mb: Some(pool.resources.disk_mb),
        },
        min_ready: pool.min_ready,
        max_ready: pool.max_ready,
        idle_timeout_seconds: Some(pool.idle_timeout.as_secs()),
        stale_after_seconds: Some(pool.stale_after.as_secs()),
        checkout_policy: mode(pool.checkout_policy),
        version_policy,
        track_tag: track_tag.clone(),
        rollout_generation: Some(pool.current.number),
        previous_resolved_template: pool.previous.as_ref().map(|_| info.resolved_template.clone()),
        previous_resolved_template_build_id: pool.previous.as_ref().map(|previous| previous.build.to_string()),
        previous_runtime_artifact_id: pool.previous.as_ref().map(|previous| previous.artifact.to_string()),
        rollout_status: RolloutStatus {
            version_policy: Some(version_policy),
            track_tag,
            rollout_generation: Some(pool.current.number),
            current_identity: Some(RolloutIdentity {
                template: Some(info.resolved_template.clone()),
                resolved_template_build_id: Some(pool.current.build.to_string()),
                runtime_artifact_id: Some(pool.current.artifact.to_string()),
                warm_profile_key: None,
                create_fingerprint: None,
            }),
            current_counts: Some(rollout_counts(&info.rollout.current)),
            observed_pool_counts: Some(rollout_counts(&info.rollout.observed)),
            old_ready_or_warming: Some(info.rollout.old_ready_or_warming),
            old_ready_or_warming_released_this_tick: Some(info.rollout.old_released_last_tick),
            updated_at: pool.last_reconciled_at,
        },
        status: counts(&info.counts),
        degraded_reason: pool.degraded.as_ref().map(|degraded| degraded_reason(degraded.reason)),
        labels: pool.labels.clone(),
        metadata: pool.metadata.clone(),
        created_at: Some(pool.created_at),
        updated_at: Some(pool.updated_at),
        enabled_at: pool.enabled_at,
        disabled_at: pool.disabled_at,
        drain_requested_at: pool.drain_requested_at,
        last_reconciled_at: pool.last_reconciled_at,
        deleted_at: pool.deleted_at,
    }
}

pub fn counts(counts: &domain::Counts) -> PoolCounts {
    PoolCounts {
        target: counts.target,
        ready: counts.ready,
        warming: counts.warming,
        claimed: counts.claimed,
        draining: counts.draining,
        failed: counts.failed,
        expired: counts.expired,
        unavailable: counts.unavailable,
    }
}

fn rollout_counts(counts: &IdentityCounts) -> RolloutCounts {
    RolloutCounts {
        ready: counts.ready,
        warming: counts.warming,
        claimed: counts.claimed,
        failed: counts.failed,
        draining: counts.draining,
        released: counts.released,
        other: counts.other,
    }
}

fn policy(policy: &domain::VersionPolicy) -> (VersionPolicy, Option<String>) {
    match policy {
        domain::VersionPolicy::PinnedBuild => (VersionPolicy::PinnedBuild, None),
        domain::VersionPolicy::TrackTag { tag } => (VersionPolicy::TrackTag, Some(tag.clone())),
    }
}

pub fn mode(mode: domain::Mode) -> CheckoutMode {
    match mode {
        domain::Mode::Prefer => CheckoutMode::Prefer,
        domain::Mode::Require => CheckoutMode::Require,
        domain::Mode::Bypass => CheckoutMode::Bypass,
    }
}

/// The other way round.
pub fn parse_mode(mode: CheckoutMode) -> domain::Mode {
    match mode {
        CheckoutMode::Prefer => domain::Mode::Prefer,
        CheckoutMode::Require => domain::Mode::Require,
        CheckoutMode::Bypass => domain::Mode::Bypass,
    }
}

fn state(state: domain::PoolState) -> PoolState {
    match state {
        domain::PoolState::Enabled => PoolState::Enabled,
        domain::PoolState::Disabled => PoolState::Disabled,
        domain::PoolState::Draining => PoolState::Draining,
        domain::PoolState::Deleted => PoolState::Deleted,
    }
}

pub fn degraded_reason(reason: domain::DegradedReason) -> DegradedReason {
    match reason {
        domain::DegradedReason::NoEligibleHosts => DegradedReason::NoEligibleHosts,
        domain::DegradedReason::ArtifactNotReady => DegradedReason::ArtifactNotReady,
        domain::DegradedReason::ArtifactPrewarmFailed => DegradedReason::ArtifactPrewarmFailed,
        domain::DegradedReason::QuotaExceeded => DegradedReason::QuotaExceeded,
        domain::DegradedReason::TemplateBuildUnavailable => DegradedReason::TemplateBuildUnavailable,
        domain::DegradedReason::ControllerDisabled => DegradedReason::ControllerDisabled,
        domain::DegradedReason::DrainActive => DegradedReason::DrainActive,
    }
}
