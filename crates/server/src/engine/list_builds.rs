//! A template's builds, newest first.

use super::{Caller, Engine, Error, lookup};
use crate::records::{Build, BuildStatus};
use crate::store::builds;
use nullspace_domain::template_ref::TemplateRef;
use rusqlite::Connection;

/// Every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct BuildFilter {
    pub status: Option<BuildStatus>,
    pub backend: Option<String>,
    pub source_type: Option<String>,
    /// At most `LIMIT_MAX`; `LIMIT_DEFAULT` when absent.
    pub limit: Option<u32>,
    /// From the page before.
    pub cursor: Option<String>,
}

#[derive(Debug, Clone)]
pub struct BuildPage {
    pub builds: Vec<Build>,
    pub next_cursor: Option<String>,
}

const LIMIT_DEFAULT: u32 = 50;
/// What published clients ask for at most.
const LIMIT_MAX: u32 = 100;

impl Engine {
    /// `reference` may be a raw `tmpl_…` id.
    pub async fn list_builds(&self, caller: &Caller, reference: &str, filter: BuildFilter) -> Result<BuildPage, Error> {
        let reference = TemplateRef::parse_field("ref", reference)?;
        let limit = filter.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("`limit` must be between 1 and {LIMIT_MAX}")));
        }
        let before = match filter.cursor.as_deref().map(str::parse) {
            None => u64::MAX,
            Some(Ok(sequence)) => sequence,
            Some(Err(_)) => return Err(Error::invalid("cursor", "`cursor` is not one that was given out")),
        };
        let caller = caller.clone();
        let list = move |connection: &Connection| {
            let template = lookup::template(connection, &caller, &reference)?;
            // All builds here are native.
            if filter.backend.as_deref().is_some_and(|backend| backend != "native") {
                return Ok(BuildPage { builds: Vec::new(), next_cursor: None });
            }
            let of_type =
                |build: &Build| filter.source_type.as_deref().is_none_or(|kind| kind == build.source_type.as_str());
            let mut found = Vec::new();
            let mut before = before;
            loop {
                let batch = builds::builds_of(connection, &template.id, before, filter.status, LIMIT_MAX)?;
                let is_last = batch.len() < LIMIT_MAX as usize;
                before = batch.last().map_or(0, |last| last.sequence);
                found.extend(batch.into_iter().filter(of_type));
                if is_last || found.len() > limit as usize {
                    break;
                }
            }
            let has_next = found.len() > limit as usize;
            found.truncate(limit as usize);
            let next_cursor = found.last().filter(|_| has_next).map(|last| last.sequence.to_string());
            Ok(BuildPage { builds: found, next_cursor })
        };
        self.inner.store.read(list).await
    }
}
