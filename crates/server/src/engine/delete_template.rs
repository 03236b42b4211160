//! Removing a template. Pools and sandboxes of it live on; its artifacts go when nothing uses them.

use super::{Caller, Engine, Error};

impl Engine {
    pub async fn delete_template(&self, _caller: &Caller, _reference: &str) -> Result<(), Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
