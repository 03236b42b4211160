//! A build's state with the entries that the caller has not seen.

use super::{Caller, Engine, Error};
use crate::records::{Build, LogEntry};

/// An answer with a terminal status holds every remaining entry.
#[derive(Debug, Clone)]
pub struct BuildSnapshot {
    pub build: Build,
    pub entries: Vec<LogEntry>,
    /// What to ask from next.
    pub next_offset: u64,
}

impl Engine {
    pub async fn get_build(&self, _caller: &Caller, _id: &str, _offset: u64) -> Result<BuildSnapshot, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
