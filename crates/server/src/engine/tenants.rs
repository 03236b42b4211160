//! Tenants: admin only.

use super::{Caller, Engine, Error};
use crate::records::Tenant;
use crate::store::tenants;
use nullspace_domain::TenantId;
use nullspace_domain::name::NamespaceSlug;

impl Engine {
    /// A new tenant; its slug is its template namespace.
    pub async fn create_tenant(&self, caller: &Caller, slug: &str) -> Result<Tenant, Error> {
        caller.must_be_admin()?;
        let tenant = Tenant {
            id: TenantId::from_body(&self.inner.entropy.body()),
            slug: NamespaceSlug::parse_own("slug", slug)?.to_string(),
            created_at: self.now(),
            instances_max: None,
            memory_mb_max: None,
        };
        let insert = move |tx: &rusqlite::Transaction<'_>| match tenants::tenant_insert(tx, &tenant)? {
            true => Ok(tenant),
            false => Err(Error::Conflict { message: format!("there is a tenant `{}` already", tenant.slug) }),
        };
        self.inner.store.write_durable(insert).await
    }

    /// By slug.
    pub async fn list_tenants(&self, caller: &Caller) -> Result<Vec<Tenant>, Error> {
        caller.must_be_admin()?;
        self.inner.store.read(|connection| Ok(tenants::tenants(connection)?)).await
    }
}
