//! One sandbox.

use super::{Caller, Engine, Error};
use crate::records::Sandbox;

impl Engine {
    /// Also one that has ended. Never wakes or changes it.
    pub async fn get_sandbox(&self, _caller: &Caller, _id: &str) -> Result<Sandbox, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
