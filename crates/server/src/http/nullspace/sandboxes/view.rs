//! Sandboxes and receipts as clients see them.

use crate::http::nullspace::warm_pools::view as pool_view;
use crate::records;
use nullspace_api::sandboxes::{
    CheckoutReceipt, CheckoutSource, MissReason, Sandbox, SandboxConfig, SandboxStatus, TimeoutAction,
};

/// Every field a sandbox can have, for projection.
pub const FIELDS: &[&str] = &[
    "id",
    "status",
    "config",
    "template",
    "metadata",
    "created_at",
    "started_at",
    "timeout_at",
    "expires_at",
    "timeout_ms",
    "timeout_action",
    "cwd",
    "snapshot_id",
    "warm_pool_checkout",
    "error",
];

pub fn sandbox(sandbox: &records::Sandbox) -> Sandbox {
    Sandbox {
        id: sandbox.id.to_string(),
        status: status(sandbox.status),
        config: SandboxConfig {
            vcpus: sandbox.resources.vcpus,
            memory_mb: sandbox.resources.memory_mb,
            disk_mb: Some(sandbox.resources.disk_mb),
        },
        template: sandbox.template_ref.clone(),
        metadata: sandbox.metadata.clone(),
        created_at: Some(sandbox.created_at),
        started_at: sandbox.started_at,
        timeout_at: sandbox.timeout_at,
        expires_at: sandbox.timeout_at,
        timeout_ms: Some(u64::try_from(sandbox.timeout.as_millis()).unwrap_or(u64::MAX)),
        timeout_action: Some(TimeoutAction::Destroy),
        cwd: sandbox.cwd.clone(),
        snapshot_id: None,
        warm_pool_checkout: sandbox.checkout.as_ref().map(receipt),
        error: sandbox.failure.clone(),
    }
}

pub fn status(status: records::SandboxStatus) -> SandboxStatus {
    match status {
        records::SandboxStatus::Creating => SandboxStatus::Creating,
        records::SandboxStatus::Running => SandboxStatus::Running,
        records::SandboxStatus::Paused => SandboxStatus::Paused,
        records::SandboxStatus::Destroyed => SandboxStatus::Destroyed,
        records::SandboxStatus::Error => SandboxStatus::Error,
    }
}

fn receipt(receipt: &records::Receipt) -> CheckoutReceipt {
    CheckoutReceipt {
        source: match receipt.source {
            records::Source::ReadyInstance => CheckoutSource::ReadyInstance,
            records::Source::ColdCreate => CheckoutSource::ColdCreate,
            records::Source::Bypassed => CheckoutSource::Bypassed,
        },
        hit: receipt.hit,
        id: receipt.id.as_ref().map(ToString::to_string),
        mode: Some(pool_view::mode(receipt.mode)),
        wait_ms: Some(receipt.wait_ms),
        generation: receipt.generation,
        candidates_tried: Some(receipt.candidates_tried),
        miss_reason: receipt.miss_reason.map(miss_reason),
    }
}

pub fn miss_reason(reason: records::MissReason) -> MissReason {
    match reason {
        records::MissReason::NoReadyInventory => MissReason::NoReadyInventory,
        records::MissReason::UnpoolableShape => MissReason::UnpoolableShape,
        records::MissReason::TemplateMismatch => MissReason::TemplateMismatch,
        records::MissReason::ResourcesExceedPool => MissReason::ResourcesExceedPool,
        records::MissReason::PoolDisabled => MissReason::PoolDisabled,
        records::MissReason::DrainActive => MissReason::DrainActive,
        records::MissReason::PoolDeleted => MissReason::PoolDeleted,
        records::MissReason::QuotaExceeded => MissReason::QuotaExceeded,
        records::MissReason::CandidatesFailed => MissReason::CandidatesFailed,
    }
}
