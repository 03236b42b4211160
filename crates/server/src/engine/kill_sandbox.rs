//! The end of a sandbox.

use super::{Caller, Engine, Error, lookup};
use crate::config::STOP_WITHIN;
use crate::records::{Sandbox, SandboxStatus};
use nullspace_domain::instance::End;

impl Engine {
    /// Ends it and its machine, and waits until the machine is gone or `STOP_WITHIN` has passed. One
    /// that has ended is returned as it is.
    pub async fn kill_sandbox(&self, caller: &Caller, id: &str) -> Result<Sandbox, Error> {
        let found = self.get_sandbox(caller, id).await?;
        match self.end_sandbox(&found.id, SandboxStatus::Destroyed, End::Finished, None).await? {
            Some((sandbox, stopping)) => {
                // Gone or not, the row says destroyed and the sweep sees to the rest.
                let _ = tokio::time::timeout(STOP_WITHIN, stopping).await;
                Ok(sandbox)
            }
            None => {
                let (caller, id) = (caller.clone(), id.to_owned());
                self.inner.store.read(move |connection| lookup::sandbox(connection, &caller, &id)).await
            }
        }
    }
}
