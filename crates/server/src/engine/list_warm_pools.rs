//! A tenant's pools.

use super::{Caller, Engine, Error, PoolInfo, lookup};
use crate::store::pools;
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::warm_pool::PoolState;
use rusqlite::Connection;

/// Every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct PoolFilter {
    /// A template ref.
    pub template: Option<String>,
    /// None hides deleted ones.
    pub state: Option<PoolState>,
    /// `KEY=VALUE`, all of them.
    pub labels: Vec<(String, String)>,
    /// `ready`, `warming`, `degraded`, `draining` or `unavailable`.
    pub status: Option<String>,
    pub limit: Option<u32>,
}

/// A tenant's pools fit one answer; more than this are not given at once.
const LIMIT_MAX: u32 = 1000;

impl Engine {
    /// Newest first.
    pub async fn list_warm_pools(&self, caller: &Caller, filter: PoolFilter) -> Result<Vec<PoolInfo>, Error> {
        let limit = filter.limit.unwrap_or(LIMIT_MAX);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("`limit` must be between 1 and {LIMIT_MAX}")));
        }
        let template = filter.template.as_deref().map(|text| TemplateRef::parse_field("template", text)).transpose()?;
        let (engine, caller) = (self.clone(), caller.clone());
        let list = move |connection: &Connection| {
            let template = match template {
                Some(reference) => match lookup::template(connection, &caller, &reference) {
                    Ok(template) => Some(template.id),
                    // A filter that nothing matches.
                    Err(Error::TemplateNotFound { .. }) => return Ok(Vec::new()),
                    Err(error) => return Err(error),
                },
                None => None,
            };
            let mut found = Vec::new();
            for pool in pools::pools_of(connection, &caller.tenant)? {
                let state = match filter.state {
                    Some(wanted) => pool.state == wanted,
                    None => pool.state != PoolState::Deleted,
                };
                let labels = filter.labels.iter().all(|(key, value)| pool.labels.get(key) == Some(value));
                if !state || !labels || template.as_ref().is_some_and(|template| pool.template != *template) {
                    continue;
                }
                let info = engine.pool_info(connection, pool)?;
                if filter.status.as_deref().is_none_or(|status| status == summary(&info)) {
                    found.push(info);
                }
                if found.len() == limit as usize {
                    break;
                }
            }
            Ok(found)
        };
        self.inner.store.read(list).await
    }
}

/// A pool in one word (spec api §5).
fn summary(info: &PoolInfo) -> &'static str {
    match info.pool.state {
        PoolState::Draining => "draining",
        PoolState::Disabled | PoolState::Deleted => "unavailable",
        PoolState::Enabled if info.pool.degraded.is_some() => "degraded",
        PoolState::Enabled if info.counts.ready >= info.counts.target => "ready",
        PoolState::Enabled => "warming",
    }
}
