//! Reaching the agent inside a sandbox: one stream an operation, each with a deadline.

use crate::engine::{Caller, Guest};
use crate::http::App;
use crate::http::limits::GUEST_TIME;
use crate::http::nullspace::Error;
use crate::http::nullspace::error::Subject;
use nullspace_guest::client;

/// A stream to the agent, with what commands inherit.
pub async fn open(app: &App, caller: &Caller, sandbox: &str) -> Result<Guest, Error> {
    Ok(app.engine.open_guest(caller, sandbox).await?)
}

/// Waits for one operation, not for ever.
pub async fn within<T>(
    subject: Subject,
    operation: impl Future<Output = Result<T, client::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(GUEST_TIME, operation).await {
        Ok(result) => result.map_err(|error| subject.failed(error)),
        Err(_) => Err(Error::GuestSilent { subject }),
    }
}
