//! Who a bearer key belongs to.

use super::{Caller, Engine, Error};

impl Engine {
    /// The caller that a bearer key stands for. Cached: no query for a key seen before.
    pub async fn authenticate(&self, _bearer: &str) -> Result<Caller, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
