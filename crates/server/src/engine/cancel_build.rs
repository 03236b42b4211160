//! Stopping a build.

use super::{BuildSnapshot, Caller, Engine, Error};

impl Engine {
    /// Does nothing to a build that has ended. The snapshot is from offset 0.
    pub async fn cancel_build(
        &self,
        _caller: &Caller,
        _id: &str,
        _reason: Option<String>,
    ) -> Result<BuildSnapshot, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
