//! One sandbox.

use super::{Caller, Engine, Error, lookup};
use crate::records::Sandbox;

impl Engine {
    /// Also one that has ended. Never wakes or changes it.
    pub async fn get_sandbox(&self, caller: &Caller, id: &str) -> Result<Sandbox, Error> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.inner.store.read(move |connection| lookup::sandbox(connection, &caller, &id)).await
    }
}
