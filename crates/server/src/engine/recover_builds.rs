//! Builds that were running when the server ended are over: their machines went with it.

use super::run_build::{interrupted, record_end};
use super::{Engine, Error};
use crate::store::builds;

impl Engine {
    pub(super) async fn recover_builds(&self) -> Result<(), Error> {
        let now = self.now();
        let end_all = move |tx: &rusqlite::Transaction<'_>| {
            for build in builds::builds_unfinished(tx)? {
                tracing::warn!(build.id = %build.id, "build {} was interrupted", build.id);
                // One that was asked to stop has stopped.
                let failure = build.cancel_requested_at.is_none().then(interrupted);
                record_end(tx, &build.id, failure, now)?;
            }
            Ok::<_, Error>(())
        };
        self.inner.store.write_durable(end_all).await
    }
}
