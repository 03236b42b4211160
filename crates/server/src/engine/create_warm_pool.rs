//! A new pool.

use super::cold_start::with_disk;
use super::{Caller, Engine, Error, PoolInfo, lookup, parse_create};
use crate::records::{Build, BuildStatus, Template};
use crate::store::{builds, pools, templates};
use nullspace_domain::WarmPoolId;
use nullspace_domain::limits::{POOL_IDLE_TIMEOUT_DEFAULT, POOL_READY_MAX, POOL_STALE_AFTER_DEFAULT};
use nullspace_domain::name::{self, Tag};
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::warm_pool::{Generation, Mode, PoolState, VersionPolicy, WarmPool};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is asked for; absent means the published default.
#[derive(Debug, Clone)]
pub struct CreateWarmPool {
    pub template_ref: String,
    pub name: String,
    pub min_ready: u32,
    pub max_ready: u32,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: Option<u32>,
    pub idle_timeout: Option<Duration>,
    pub stale_after: Option<Duration>,
    pub checkout_policy: Option<Mode>,
    /// Follow a tag instead of keeping the build of now.
    pub track_tag_policy: bool,
    /// Needed with the policy unless the ref itself has a tag.
    pub track_tag: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

impl Engine {
    /// Enabled from the start; its members follow.
    pub async fn create_warm_pool(&self, caller: &Caller, request: CreateWarmPool) -> Result<PoolInfo, Error> {
        let name = name::display_name("name", &request.name)?;
        let reference = TemplateRef::parse_field("template_ref", &request.template_ref)?;
        check_sizes(request.min_ready, request.max_ready)?;
        let resources = parse_create::resources("resources.", request.vcpus, request.memory_mb, request.disk_mb)?;
        name::labels("labels", &request.labels)?;
        name::metadata("metadata", &request.metadata)?;
        let version_policy = policy(&reference, request.track_tag_policy, request.track_tag.as_deref())?;
        let idle_timeout = check_age("idle_timeout_seconds", request.idle_timeout, POOL_IDLE_TIMEOUT_DEFAULT)?;
        let stale_after = check_age("stale_after_seconds", request.stale_after, POOL_STALE_AFTER_DEFAULT)?;
        let body = name::pool_id_body(&name);
        let with_suffix = format!("{body}_{}", &self.inner.entropy.body()[..8]);
        self.build_builtin_meant(caller, &reference).await?;
        let (engine, caller, now) = (self.clone(), caller.clone(), self.now());
        let insert = move |tx: &rusqlite::Transaction<'_>| {
            let template = lookup::template(tx, &caller, &reference)?;
            let build = build_to_fill(tx, &template, &reference, &version_policy)?;
            let build = build.ok_or_else(|| Error::TemplateNotFound { reference: reference.to_string() })?;
            let resources = with_disk(resources, &build);
            let unknown = || Error::TemplateNotFound { reference: reference.to_string() };
            let (build, artifact) = (build.id, build.artifact.ok_or_else(unknown)?);
            let mut pool = WarmPool {
                id: WarmPoolId::from_body(&body),
                tenant: caller.tenant.clone(),
                name,
                template_ref: request.template_ref,
                template: template.id.clone(),
                state: PoolState::Enabled,
                min_ready: request.min_ready,
                max_ready: request.max_ready,
                resources,
                internet_access: true,
                checkout_policy: request.checkout_policy.unwrap_or_default(),
                version_policy,
                idle_timeout,
                stale_after,
                current: Generation {
                    number: 1,
                    template: template.id,
                    build,
                    artifact,
                    started_at: now,
                    cut_over_at: None,
                },
                previous: None,
                abandoned: None,
                failures_in_a_row: 0,
                degraded: None,
                last_demand_at: None,
                labels: request.labels,
                metadata: request.metadata,
                created_at: now,
                updated_at: now,
                enabled_at: Some(now),
                disabled_at: None,
                drain_requested_at: None,
                drained_at: None,
                last_reconciled_at: None,
                deleted_at: None,
                revision: 1,
            };
            if !pools::pool_insert(tx, &pool)? {
                // The plain id is taken, perhaps by a pool that was deleted a minute ago.
                pool.id = WarmPoolId::from_body(&with_suffix);
                if !pools::pool_insert(tx, &pool)? {
                    return Err(Error::Conflict { message: format!("there is a pool `{}` already", pool.id) });
                }
            }
            engine.pool_info(tx, pool)
        };
        let info = self.inner.store.write_durable(insert).await?;
        self.pool_changed(Some(&info.pool.id));
        Ok(info)
    }
}

/// The build a pool fills: what the tag it tracks points at, else what its ref means.
pub(crate) fn build_to_fill(
    connection: &Connection,
    template: &Template,
    reference: &TemplateRef,
    policy: &VersionPolicy,
) -> Result<Option<Build>, Error> {
    let build = match policy {
        VersionPolicy::PinnedBuild => lookup::ready_build(connection, template, reference)?,
        VersionPolicy::TrackTag { tag } => match templates::tag(connection, &template.id, tag)? {
            Some(tag) => builds::build(connection, &tag.build)?,
            None => None,
        },
    };
    Ok(build.filter(|build| build.status == BuildStatus::Ready && build.artifact.is_some()))
}

/// Which builds a pool follows. Tracking needs a tag, from the request or from the ref.
pub(super) fn policy(reference: &TemplateRef, track: bool, tag: Option<&str>) -> Result<VersionPolicy, Error> {
    let tag = tag.map(|tag| Tag::parse_field("track_tag", tag)).transpose()?;
    if !track {
        return Ok(VersionPolicy::PinnedBuild);
    }
    if reference.exact_build().is_some() {
        return Err(Error::invalid("version_policy", "`version_policy` cannot be `track_tag` for an exact build"));
    }
    let tag = tag.or_else(|| reference.tag().cloned());
    let tag = tag.ok_or_else(|| Error::invalid("track_tag", "`track_tag` is required when the ref has no tag"))?;
    Ok(VersionPolicy::TrackTag { tag: tag.to_string() })
}

pub(super) fn check_sizes(min_ready: u32, max_ready: u32) -> Result<(), Error> {
    if max_ready > POOL_READY_MAX {
        return Err(Error::invalid("max_ready", format!("`max_ready` must be at most {POOL_READY_MAX}")));
    }
    if min_ready > max_ready {
        return Err(Error::invalid("min_ready", "`min_ready` must not be greater than `max_ready`"));
    }
    Ok(())
}

/// From a second to a year.
pub(super) fn check_age(field: &str, asked: Option<Duration>, default: Duration) -> Result<Duration, Error> {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(365 * 24 * 3600);
    let age = asked.unwrap_or(default);
    match (LEAST..=MOST).contains(&age) {
        true => Ok(age),
        false => Err(Error::invalid(field, format!("`{field}` must be between 1 and {}", MOST.as_secs()))),
    }
}
