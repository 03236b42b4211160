//! The end of the server, and of its machines if that is wanted.

use super::{Engine, Error};
use crate::reconcile::report;
use crate::records::SandboxStatus;
use crate::store::{instances, sandboxes};
use nullspace_domain::instance::End;
use std::time::Duration;

/// A server told to end with everything it started has 20 s; this leaves some to the rest.
const STOP_MACHINES_WITHIN: Duration = Duration::from_secs(12);
/// Work that only has to write its last rows.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Ends builds, which do not outlive the server, and waits for what is being recorded. With
    /// `stop_machines` every machine ends too; without, they are found again at the next start.
    /// Called after `run` has ended, so that nothing is refilled.
    pub async fn shut_down(&self, stop_machines: bool) {
        self.inner.stopping.cancel();
        self.inner.builds.cancel_all();
        if stop_machines {
            let stopped = tokio::time::timeout(STOP_MACHINES_WITHIN, self.stop_everything()).await;
            match stopped {
                Ok(result) => report("stop the machines", result),
                Err(_) => tracing::error!("some machines did not stop in time"),
            }
        }
        self.inner.tasks.close();
        // A start or a build may hang; its row is settled by the next start.
        let _ = tokio::time::timeout(FINISH_WITHIN, self.inner.tasks.wait()).await;
    }

    async fn stop_everything(&self) -> Result<(), Error> {
        let now = self.now();
        let end_rows = move |tx: &rusqlite::Transaction<'_>| {
            let rows = instances::instances_present(tx)?;
            for row in &rows {
                if let Some(mut sandbox) = sandboxes::sandbox_on(tx, &row.id)?.filter(|found| found.status.is_live()) {
                    let status = SandboxStatus::Destroyed;
                    super::end_instance::close_sandbox(tx, &mut sandbox, status, None, now)?;
                }
                super::end_instance::mark_stopping(tx, &row.id, End::Released, now)?;
            }
            Ok::<_, Error>(rows)
        };
        let rows = self.inner.store.write(end_rows).await?;
        futures::future::join_all(rows.into_iter().map(|row| self.stop_machine(row.id))).await;
        Ok(())
    }
}
