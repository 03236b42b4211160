//! How much longer a sandbox lives.

use super::{Caller, Engine, Error, lookup, parse_create};
use crate::records::{Sandbox, SandboxStatus};
use crate::store::sandboxes;
use nullspace_domain::warm_pool::later;
use std::time::Duration;

impl Engine {
    /// Destroyed this long from now.
    pub async fn set_timeout(&self, caller: &Caller, id: &str, timeout: Duration) -> Result<Sandbox, Error> {
        parse_create::check_timeout(timeout)?;
        let (caller, id, now) = (caller.clone(), id.to_owned(), self.now());
        let set = move |tx: &rusqlite::Transaction<'_>| {
            let mut sandbox = lookup::sandbox(tx, &caller, &id)?;
            if sandbox.status != SandboxStatus::Running {
                return Err(Error::SandboxNotReady { id: sandbox.id, status: sandbox.status });
            }
            sandbox.timeout = timeout;
            sandbox.timeout_at = Some(later(now, timeout));
            sandboxes::sandbox_update(tx, &mut sandbox)?;
            Ok(sandbox)
        };
        self.inner.store.write(set).await
    }
}
