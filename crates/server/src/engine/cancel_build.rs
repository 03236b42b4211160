//! Stopping a build.

use super::{BuildSnapshot, Caller, Engine, Error, lookup};
use crate::store::builds;
use std::time::Duration;

/// Longest reason kept.
const REASON_MAX: usize = 1024;
/// A host ends a build within 10 s (`Node::build`); after that the answer says what is so far.
const CANCEL_WITHIN: Duration = Duration::from_secs(12);

impl Engine {
    /// Does nothing to a build that has ended. The snapshot is from offset 0.
    pub async fn cancel_build(
        &self,
        caller: &Caller,
        id: &str,
        reason: Option<String>,
    ) -> Result<BuildSnapshot, Error> {
        if reason.as_ref().is_some_and(|reason| reason.len() > REASON_MAX) {
            return Err(Error::invalid("reason", format!("`reason` must be at most {REASON_MAX} bytes")));
        }
        let (who, given, now) = (caller.clone(), id.to_owned(), self.now());
        let mark = move |tx: &rusqlite::Transaction<'_>| {
            let mut build = lookup::build(tx, &who, &given)?;
            if !build.status.is_terminal() && build.cancel_requested_at.is_none() {
                build.cancel_requested_at = Some(now);
                build.cancellation_reason = reason;
                build.updated_at = now;
                builds::build_update(tx, &build)?;
            }
            Ok::<_, Error>(build.id)
        };
        let build = self.inner.store.write_durable(mark).await?;
        self.inner.builds.cancel(&build);
        // The answer tells either way.
        let _ = tokio::time::timeout(CANCEL_WITHIN, self.build_ended(&build)).await;
        self.get_build(caller, id, 0).await
    }
}
