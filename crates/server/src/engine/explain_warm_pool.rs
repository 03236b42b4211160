//! Why a pool is as it is: the notes of its last plan; and a pass on demand.

use super::{Caller, Engine, Error, PoolInfo};

impl Engine {
    /// Sentences for a person.
    pub async fn explain_warm_pool(&self, _caller: &Caller, _id: &str) -> Result<Vec<String>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// Answers after a pass that began after the call.
    pub async fn reconcile_warm_pool(&self, _caller: &Caller, _id: &str) -> Result<PoolInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
