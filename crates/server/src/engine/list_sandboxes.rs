//! A tenant's sandboxes, newest first.

use super::{Caller, Engine, Error, lookup};
use crate::records::{Sandbox, SandboxStatus};
use crate::store::sandboxes::{self, Position};
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::{BuildId, TemplateId};
use rusqlite::Connection;

/// Every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct SandboxFilter {
    /// Empty means those that are live.
    pub statuses: Vec<SandboxStatus>,
    /// A template ref.
    pub template: Option<String>,
    /// Every key with an equal value.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// At most `LIMIT_MAX`; `LIMIT_DEFAULT` when absent.
    pub limit: Option<u32>,
    /// From the page before.
    pub next_token: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SandboxPage {
    pub items: Vec<Sandbox>,
    /// None on the last page.
    pub next_token: Option<String>,
}

const LIMIT_DEFAULT: u32 = 100;
/// A page travels in one answer.
const LIMIT_MAX: u32 = 1000;
/// Rows looked at per query while filtering.
const BATCH: u32 = 500;

impl Engine {
    pub async fn list_sandboxes(&self, caller: &Caller, filter: SandboxFilter) -> Result<SandboxPage, Error> {
        let limit = filter.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("`limit` must be between 1 and {LIMIT_MAX}")));
        }
        let after = filter.next_token.as_deref().map(parse_token).transpose()?;
        let template = filter.template.as_deref().map(|text| TemplateRef::parse_field("template", text)).transpose()?;
        let caller = caller.clone();
        let list = move |connection: &Connection| {
            let template = match template {
                // A template that is gone may still have sandboxes, but nobody can name it.
                Some(reference) => {
                    let template = lookup::template(connection, &caller, &reference)?;
                    Some((template.id, reference.exact_build().cloned()))
                }
                None => None,
            };
            page(connection, &caller, &filter, template, after, limit)
        };
        self.inner.store.read(list).await
    }
}

fn page(
    connection: &Connection,
    caller: &Caller,
    filter: &SandboxFilter,
    template: Option<(TemplateId, Option<BuildId>)>,
    after: Option<Position>,
    limit: u32,
) -> Result<SandboxPage, Error> {
    let wanted = |sandbox: &Sandbox| {
        let status = match filter.statuses.as_slice() {
            [] => sandbox.status.is_live(),
            statuses => statuses.contains(&sandbox.status),
        };
        let template = template.as_ref().is_none_or(|(id, build)| {
            sandbox.template == *id && build.as_ref().is_none_or(|build| sandbox.build == *build)
        });
        status && template && filter.metadata.iter().all(|(key, value)| sandbox.metadata.get(key) == Some(value))
    };
    let only_live = filter.statuses.iter().all(|status| status.is_live());
    let mut items = Vec::new();
    if only_live {
        let live = sandboxes::sandboxes_live_of(connection, &caller.tenant)?;
        let before = |sandbox: &Sandbox| after.as_ref().is_none_or(|after| Position::of(sandbox).is_after(after));
        items.extend(live.into_iter().filter(|sandbox| wanted(sandbox) && before(sandbox)).take(limit as usize + 1));
    } else {
        let mut after = after;
        loop {
            let batch = sandboxes::sandboxes_page(connection, &caller.tenant, after.as_ref(), BATCH)?;
            let is_last = batch.len() < BATCH as usize;
            after = batch.last().map(Position::of);
            items.extend(batch.into_iter().filter(|sandbox| wanted(sandbox)));
            if is_last || items.len() > limit as usize {
                break;
            }
        }
    }
    let has_next = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_token = items.last().filter(|_| has_next).map(|last| token(&Position::of(last)));
    Ok(SandboxPage { items, next_token })
}

fn token(position: &Position) -> String {
    format!("{}_{}", position.created_at, position.id)
}

fn parse_token(token: &str) -> Result<Position, Error> {
    let parts = token.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    let (created_at, id) =
        parts.ok_or_else(|| Error::invalid("next_token", "`next_token` is not one that was given out"))?;
    Ok(Position { created_at, id: id.to_owned() })
}
