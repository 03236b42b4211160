//! A build's log from any offset: replay, then live, until the entry that ends it.

use super::{Caller, Engine, Error};
use crate::records::LogEntry;

/// A reader of one build's log.
pub struct BuildLog {
    _private: (),
}

impl BuildLog {
    /// The next entry; none after the last. With `follow` it waits for what is not written yet.
    pub async fn next(&mut self) -> Result<Option<LogEntry>, Error> {
        Ok(None)
    }
}

impl Engine {
    pub async fn follow_build(
        &self,
        _caller: &Caller,
        _id: &str,
        _offset: u64,
        _follow: bool,
    ) -> Result<BuildLog, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
