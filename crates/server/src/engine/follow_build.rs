//! A build's log from any offset: replay, then live, until the entry that ends it.

use super::{Caller, Engine, Error, lookup};
use crate::records::LogEntry;
use crate::store::build_logs;
use nullspace_domain::BuildId;
use std::collections::VecDeque;
use tokio::sync::watch;

/// A reader of one build's log.
pub struct BuildLog {
    engine: Engine,
    build: BuildId,
    next_offset: u64,
    read: VecDeque<LogEntry>,
    /// News of a build that runs; none when it has ended or nobody waits.
    news: Option<watch::Receiver<u64>>,
    is_over: bool,
}

/// Entries read at once.
const BATCH: u32 = 256;

impl BuildLog {
    /// The next entry; none after the last. When following it waits for what is not written yet.
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<LogEntry>, Error> {
        loop {
            if let Some(entry) = self.read.pop_front() {
                self.next_offset = entry.offset + 1;
                self.is_over = entry.kind.is_terminal();
                return Ok(Some(entry));
            }
            if self.is_over {
                return Ok(None);
            }
            let (build, offset) = (self.build.clone(), self.next_offset);
            let read = move |connection: &rusqlite::Connection| {
                Ok::<_, Error>(build_logs::entries_from(connection, &build, offset, BATCH)?)
            };
            self.read.extend(self.engine.inner.store.read(read).await?);
            if !self.read.is_empty() {
                continue;
            }
            match &mut self.news {
                None => self.is_over = true,
                Some(news) => {
                    let next_offset = self.next_offset;
                    // The end of the channel is the end of the build: what it wrote last is read once more.
                    if news.wait_for(|written| *written > next_offset).await.is_err() {
                        self.news = None;
                    }
                }
            }
        }
    }
}

impl Engine {
    /// `offset` is the first entry wanted.
    pub async fn follow_build(&self, caller: &Caller, id: &str, offset: u64, follow: bool) -> Result<BuildLog, Error> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let find = move |connection: &rusqlite::Connection| lookup::build(connection, &caller, &id);
        let build = self.inner.store.read(find).await?.id;
        // Before the first read, so that nothing written in between is missed.
        let news = if follow { self.inner.builds.progress(&build) } else { None };
        let engine = self.clone();
        Ok(BuildLog { engine, build, next_offset: offset, read: VecDeque::new(), news, is_over: false })
    }

    /// Until a build has its last entry.
    pub(super) async fn build_ended(&self, id: &BuildId) {
        if let Some(mut news) = self.inner.builds.progress(id) {
            // Never true: only the end of the channel ends it.
            let _ = news.wait_for(|_| false).await;
        }
    }
}
