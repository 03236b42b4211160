//! Changing a pool.

use super::cold_start::with_disk;
use super::create_warm_pool::{build_to_fill, check_age, check_sizes, policy};
use super::parse_create::resources;
use super::{Caller, Engine, Error, PoolInfo, lookup};
use crate::store::pools;
use nullspace_domain::Timestamp;
use nullspace_domain::name;
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::warm_pool::{Mode, PoolState, VersionPolicy, WarmPool};
use nullspace_domain::world::Resolved;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::time::Duration;

/// Only what is given changes.
#[derive(Debug, Clone, Default)]
pub struct UpdateWarmPool {
    pub template_ref: Option<String>,
    pub name: Option<String>,
    pub min_ready: Option<u32>,
    pub max_ready: Option<u32>,
    pub vcpus: Option<u32>,
    pub memory_mb: Option<u32>,
    pub disk_mb: Option<u32>,
    pub idle_timeout: Option<Duration>,
    pub stale_after: Option<Duration>,
    pub checkout_policy: Option<Mode>,
    pub track_tag_policy: Option<bool>,
    pub track_tag: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Engine {
    /// Takes effect with the next plan: members that no longer fit are replaced, sandboxes are left alone.
    pub async fn update_warm_pool(&self, caller: &Caller, id: &str, update: UpdateWarmPool) -> Result<PoolInfo, Error> {
        if let Some(name) = &update.name {
            name::display_name("name", name)?;
        }
        if let Some(labels) = &update.labels {
            name::labels("labels", labels)?;
        }
        if let Some(metadata) = &update.metadata {
            name::metadata("metadata", metadata)?;
        }
        let (engine, caller, id, now) = (self.clone(), caller.clone(), id.to_owned(), self.now());
        let change = move |tx: &rusqlite::Transaction<'_>| {
            let mut pool = lookup::pool(tx, &caller, &id)?;
            if pool.state == PoolState::Deleted {
                return Err(Error::Conflict { message: format!("pool `{}` is deleted", pool.id) });
            }
            apply(tx, &caller, &mut pool, update, now)?;
            pools::pool_update(tx, &mut pool)?;
            engine.pool_info(tx, pool)
        };
        let info = self.inner.store.write_durable(change).await?;
        self.inner.waiters.wake_all(&info.pool.id);
        self.pool_changed(Some(&info.pool.id));
        Ok(info)
    }
}

fn apply(
    tx: &Connection,
    caller: &Caller,
    pool: &mut WarmPool,
    update: UpdateWarmPool,
    now: Timestamp,
) -> Result<(), Error> {
    pool.min_ready = update.min_ready.unwrap_or(pool.min_ready);
    pool.max_ready = update.max_ready.unwrap_or(pool.max_ready);
    check_sizes(pool.min_ready, pool.max_ready)?;
    let (was, vcpus, memory_mb) = (pool.resources, update.vcpus, update.memory_mb);
    let disk_mb = update.disk_mb.unwrap_or(was.disk_mb);
    let size = resources("resources.", vcpus.unwrap_or(was.vcpus), memory_mb.unwrap_or(was.memory_mb), Some(disk_mb))?;
    pool.resize(size, now);
    pool.idle_timeout = check_age("idle_timeout_seconds", update.idle_timeout, pool.idle_timeout)?;
    pool.stale_after = check_age("stale_after_seconds", update.stale_after, pool.stale_after)?;
    pool.name = update.name.unwrap_or(std::mem::take(&mut pool.name));
    pool.checkout_policy = update.checkout_policy.unwrap_or(pool.checkout_policy);
    pool.labels = update.labels.unwrap_or(std::mem::take(&mut pool.labels));
    pool.metadata = update.metadata.unwrap_or(std::mem::take(&mut pool.metadata));
    // What was broken may be mended by the change.
    pool.failures_in_a_row = 0;
    pool.abandoned = None;
    pool.updated_at = now;
    let tracked = match &pool.version_policy {
        VersionPolicy::PinnedBuild => None,
        VersionPolicy::TrackTag { tag } => Some(tag.clone()),
    };
    let versions = update.template_ref.is_some() || update.track_tag_policy.is_some() || update.track_tag.is_some();
    if !versions {
        return Ok(());
    }
    pool.template_ref = update.template_ref.unwrap_or(std::mem::take(&mut pool.template_ref));
    let reference = TemplateRef::parse_field("template_ref", &pool.template_ref)?;
    let tracks = update.track_tag_policy.unwrap_or(tracked.is_some());
    let tag = update.track_tag.or(tracked.filter(|_| reference.tag().is_none()));
    pool.version_policy = policy(&reference, tracks, tag.as_deref())?;
    let template = lookup::template(tx, caller, &reference)?;
    let build = build_to_fill(tx, &template, &reference, &pool.version_policy)?;
    let unknown = || Error::TemplateNotFound { reference: reference.to_string() };
    let build = build.ok_or_else(unknown)?;
    let artifact = build.artifact.clone().ok_or_else(unknown)?;
    pool.resize(with_disk(pool.resources, &build), now);
    if pool.current.build != build.id || pool.template != template.id {
        pool.template = template.id;
        pool.roll(&Resolved { build: build.id, artifact }, now);
    }
    Ok(())
}
