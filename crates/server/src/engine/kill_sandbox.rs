//! The end of a sandbox.

use super::{Caller, Engine, Error};
use crate::records::Sandbox;

impl Engine {
    /// Ends it and its machine. One that has ended is returned as it is.
    pub async fn kill_sandbox(&self, _caller: &Caller, _id: &str) -> Result<Sandbox, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
