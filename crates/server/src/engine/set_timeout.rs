//! How much longer a sandbox lives.

use super::{Caller, Engine, Error};
use crate::records::Sandbox;
use std::time::Duration;

impl Engine {
    /// Destroyed this long from now.
    pub async fn set_timeout(&self, _caller: &Caller, _id: &str, _timeout: Duration) -> Result<Sandbox, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
