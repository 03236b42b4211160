//! Builds and log entries as clients see them.

use crate::http::nullspace::templates::view as template_view;
use crate::{engine, records};
use nullspace_api::Object;
use nullspace_api::builds::{
    ArtifactAvailability, ArtifactStatus, Build, BuildBackend, BuildSnapshot, BuildStatus, CacheSummary, LogEntry,
    LogKind, LogLevel, Promotability, PromotabilityStatus, ResultMetadata, SourceType,
};
use nullspace_api::error::{FailureDetail, FailurePhase};
use nullspace_api::templates::Visibility;
use nullspace_node::api as node;
use serde_json::json;

pub fn build(build: &records::Build) -> Build {
    let duration = build.started_at.zip(build.finished_at).map(|(from, to)| to.duration_since(from).as_millis());
    Build {
        build_id: build.id.to_string(),
        template_id: build.template.to_string(),
        name: build.name.clone(),
        tags: build.tags.clone(),
        status: status(build.status),
        created_at: build.created_at,
        updated_at: build.updated_at,
        build_backend: Some(BuildBackend::Native),
        source_type: Some(match build.source_type {
            records::SourceType::Declarative => SourceType::Declarative,
            records::SourceType::TemplateBase => SourceType::TemplateBase,
        }),
        canonical_ref: Some(build.canonical_ref()),
        namespace_slug: Some(build.namespace.clone()),
        visibility: Some(if build.tenant.is_none() { Visibility::Public } else { Visibility::Private }),
        source_digest: Some(build.source_digest.clone()),
        context_digest: build.context_digest.clone(),
        dockerfile_digest: None,
        triggered_by: None,
        queued_at: Some(build.created_at),
        started_at: build.started_at,
        finished_at: build.finished_at,
        duration_ms: duration.map(|ms| u64::try_from(ms).unwrap_or(0)),
        failure_phase: build.failure.as_ref().map(|failure| phase_name(failure.phase)),
        build_config: Some(build_config(build)),
        cache_summary: Some(cache_summary(&build.cache)),
        artifact_availability: Some(availability(build.status)),
        promotability: Some(promotability(build.status)),
        retention_expires_at: None,
        runtime_defaults: Some(template_view::runtime_defaults(&build.runtime)),
        artifact_ids: build.artifact.iter().map(ToString::to_string).collect(),
        error: build.failure.as_ref().map(|failure| failure.message.clone()),
        error_detail: build.failure.as_ref().map(|cause| failure(cause, &build.id)),
        retry_of_build_id: build.retry_of.as_ref().map(ToString::to_string),
        original_build_id: None,
        cancel_requested_at: build.cancel_requested_at,
        cancel_requested_by: None,
        cancellation_reason: build.cancellation_reason.clone(),
    }
}

pub fn snapshot(snapshot: &engine::BuildSnapshot) -> BuildSnapshot {
    BuildSnapshot {
        build: build(&snapshot.build),
        entries: snapshot.entries.iter().map(entry).collect(),
        next_offset: snapshot.next_offset,
    }
}

pub fn entry(entry: &records::LogEntry) -> LogEntry {
    LogEntry {
        build_id: entry.build.to_string(),
        template_id: entry.template.to_string(),
        offset: entry.offset,
        timestamp: entry.timestamp,
        kind: match entry.kind {
            records::LogKind::Start => LogKind::Start,
            records::LogKind::Message => LogKind::Message,
            records::LogKind::Cache => LogKind::Cache,
            records::LogKind::Retry => LogKind::Retry,
            records::LogKind::Warning => LogKind::Warning,
            records::LogKind::Error => LogKind::Error,
            records::LogKind::Cancelled => LogKind::Cancelled,
            records::LogKind::End => LogKind::End,
        },
        level: match entry.level {
            records::LogLevel::Debug => LogLevel::Debug,
            records::LogLevel::Info => LogLevel::Info,
            records::LogLevel::Warn => LogLevel::Warn,
            records::LogLevel::Error => LogLevel::Error,
        },
        message: entry.message.clone(),
        phase: entry.phase.clone(),
        step_index: entry.step_index,
        total_steps: entry.total_steps,
        attempt: None,
        max_attempts: None,
        cache_kind: entry.cache.as_ref().map(|cache| cache.kind.clone()),
        cache_status: entry.cache.as_ref().map(|cache| cache.status.clone()),
        cache_reason: entry.cache.as_ref().and_then(|cache| cache.reason.clone()),
        cache_subject: entry.cache.as_ref().map(|cache| cache.subject.clone()),
        error_detail: entry.failure.as_ref().map(|cause| failure(cause, &entry.build)),
        result: entry.result.as_deref().map(template_view::template),
        result_metadata: entry.result.as_ref().map(|info| ResultMetadata {
            runtime_defaults: info.runtime.as_ref().map(template_view::runtime_defaults),
        }),
    }
}

pub fn phase(phase: node::FailurePhase) -> FailurePhase {
    match phase {
        node::FailurePhase::Auth => FailurePhase::Auth,
        node::FailurePhase::Preflight => FailurePhase::Preflight,
        node::FailurePhase::BlobUpload => FailurePhase::BlobUpload,
        node::FailurePhase::Prepare => FailurePhase::Prepare,
        node::FailurePhase::BuildStep => FailurePhase::BuildStep,
        node::FailurePhase::Readiness => FailurePhase::Readiness,
        node::FailurePhase::Snapshot => FailurePhase::Snapshot,
        node::FailurePhase::Finalize => FailurePhase::Finalize,
        node::FailurePhase::Interrupted => FailurePhase::Interrupted,
    }
}

fn phase_name(of: node::FailurePhase) -> String {
    match serde_json::to_value(phase(of)) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a phase is a text, not {other:?}"),
    }
}

fn failure(failure: &records::Failure, build: &nullspace_domain::BuildId) -> FailureDetail {
    FailureDetail {
        code: failure.code.clone(),
        message: failure.message.clone(),
        phase: phase(failure.phase),
        retryable: failure.retryable,
        suggested_action: failure.suggested_action.clone(),
        step_index: failure.step_index,
        attempt: None,
        max_attempts: None,
        cache_subject: None,
        build_id: Some(build.to_string()),
        request_id: None,
        details: None,
    }
}

pub fn status(status: records::BuildStatus) -> BuildStatus {
    match status {
        records::BuildStatus::Waiting => BuildStatus::Waiting,
        records::BuildStatus::Building => BuildStatus::Building,
        records::BuildStatus::Ready => BuildStatus::Ready,
        records::BuildStatus::Error => BuildStatus::Error,
        records::BuildStatus::Cancelled => BuildStatus::Cancelled,
    }
}

/// The size as the request gave it, in the request's own words.
fn build_config(build: &records::Build) -> Object {
    let mut config = Object::new();
    config.insert("vcpus".into(), json!(build.resources.vcpus));
    config.insert("memory_mib".into(), json!(build.resources.memory_mb));
    config.insert("disk_mb".into(), json!(build.resources.disk_mb));
    if !build.internet_access {
        config.insert("internet_access".into(), json!(false));
    }
    config
}

fn cache_summary(cache: &records::CacheSummary) -> CacheSummary {
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    CacheSummary {
        final_artifact_hits: count(cache.final_artifact.hits),
        final_artifact_misses: count(cache.final_artifact.misses),
        final_artifact_bypasses: count(cache.final_artifact.bypasses),
        final_artifact_stores: count(cache.final_artifact.stores),
        layer_hits: count(cache.layer.hits),
        layer_misses: count(cache.layer.misses),
        layer_bypasses: count(cache.layer.bypasses),
        layer_stores: count(cache.layer.stores),
        file_blob_hits: count(cache.file_blob.hits),
        file_blob_misses: count(cache.file_blob.misses),
        file_blob_bypasses: count(cache.file_blob.bypasses),
        file_blob_stores: count(cache.file_blob.stores),
    }
}

fn availability(status: records::BuildStatus) -> ArtifactAvailability {
    let status = match status {
        records::BuildStatus::Ready => ArtifactStatus::Available,
        records::BuildStatus::Waiting | records::BuildStatus::Building => ArtifactStatus::Publishing,
        records::BuildStatus::Error => ArtifactStatus::Failed,
        records::BuildStatus::Cancelled => ArtifactStatus::Unavailable,
    };
    ArtifactAvailability { status, reason: None }
}

fn promotability(status: records::BuildStatus) -> Promotability {
    let promotable = status == records::BuildStatus::Ready;
    let status = match status {
        records::BuildStatus::Ready => PromotabilityStatus::Promotable,
        records::BuildStatus::Waiting | records::BuildStatus::Building => PromotabilityStatus::NotReady,
        records::BuildStatus::Error | records::BuildStatus::Cancelled => PromotabilityStatus::Unavailable,
    };
    Promotability { status, promotable, reason: None }
}
