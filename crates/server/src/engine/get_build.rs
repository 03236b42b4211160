//! A build's state with the entries that the caller has not seen.

use super::{Caller, Engine, Error, lookup};
use crate::records::{Build, LogEntry};
use crate::store::build_logs;

/// An answer with a terminal status holds every remaining entry.
#[derive(Debug, Clone)]
pub struct BuildSnapshot {
    pub build: Build,
    pub entries: Vec<LogEntry>,
    /// What to ask from next.
    pub next_offset: u64,
}

/// More than a build may write (`run_build::ENTRIES_MAX`, the marker and the last entry).
const ENTRIES_PER_ANSWER: u32 = 50_010;

impl Engine {
    pub async fn get_build(&self, caller: &Caller, id: &str, offset: u64) -> Result<BuildSnapshot, Error> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let get = move |connection: &rusqlite::Connection| {
            // One transaction, so that a terminal status and the last entry are seen together.
            let connection = connection.unchecked_transaction()?;
            let build = lookup::build(&connection, &caller, &id)?;
            let entries = build_logs::entries_from(&connection, &build.id, offset, ENTRIES_PER_ANSWER)?;
            let next_offset = entries.last().map_or(offset, |last| last.offset + 1);
            Ok(BuildSnapshot { build, entries, next_offset })
        };
        self.inner.store.read(get).await
    }
}
