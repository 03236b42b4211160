//! API keys: an admin's for any tenant, anybody's for their own.

use super::{Caller, Engine, Error};
use crate::records::KeyInfo;

/// A key, shown once: only its SHA-256 is kept.
pub struct NewKey {
    pub info: KeyInfo,
    pub secret: String,
}

impl Engine {
    /// `tenant` is a slug; none means the caller's own.
    pub async fn create_key(&self, _caller: &Caller, _tenant: Option<&str>, _name: &str) -> Result<NewKey, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    pub async fn list_keys(&self, _caller: &Caller, _tenant: Option<&str>) -> Result<Vec<KeyInfo>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// The key stops working at once.
    pub async fn revoke_key(&self, _caller: &Caller, _id: &str) -> Result<KeyInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
