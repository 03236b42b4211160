//! Tenants: admin only.

use super::{Caller, Engine, Error};
use crate::records::Tenant;

impl Engine {
    /// A new tenant; its slug is its template namespace.
    pub async fn create_tenant(&self, _caller: &Caller, _slug: &str) -> Result<Tenant, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    pub async fn list_tenants(&self, _caller: &Caller) -> Result<Vec<Tenant>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
