//! API keys: an admin's for any tenant, anybody's for their own.

use super::{Caller, Engine, Error, authenticate, bootstrap};
use crate::records::{KeyInfo, Tenant};
use crate::store::tenants;
use nullspace_domain::KeyId;
use nullspace_domain::name::display_name;
use rusqlite::Connection;

/// A key, shown once: only its SHA-256 is kept.
pub struct NewKey {
    pub info: KeyInfo,
    pub secret: String,
}

impl Engine {
    /// `tenant` is a slug; none means the caller's own. The new key is no admin's.
    pub async fn create_key(&self, caller: &Caller, tenant: Option<&str>, name: &str) -> Result<NewKey, Error> {
        // A key needs no name: its id tells it apart.
        let name = if name.is_empty() { "unnamed".to_owned() } else { display_name("name", name)?.to_string() };
        let secret = bootstrap::new_secret()?;
        let hash = authenticate::hash(&secret);
        let id = KeyId::from_body(&self.inner.entropy.body());
        let (caller, slug, now) = (caller.clone(), tenant.map(str::to_owned), self.now());
        let insert = move |tx: &rusqlite::Transaction<'_>| {
            let tenant = tenant_for(tx, &caller, slug.as_deref())?;
            let info = KeyInfo {
                id,
                tenant: tenant.id,
                tenant_slug: tenant.slug,
                name,
                admin: false,
                created_at: now,
                revoked_at: None,
            };
            tenants::key_insert(tx, &info, &hash)?;
            Ok(NewKey { info, secret })
        };
        self.inner.store.write_durable(insert).await
    }

    /// Revoked ones too.
    pub async fn list_keys(&self, caller: &Caller, tenant: Option<&str>) -> Result<Vec<KeyInfo>, Error> {
        let (caller, slug) = (caller.clone(), tenant.map(str::to_owned));
        let list = move |connection: &Connection| {
            let tenant = tenant_for(connection, &caller, slug.as_deref())?;
            Ok(tenants::keys_of(connection, &tenant.id)?)
        };
        self.inner.store.read(list).await
    }

    /// The key stops working at once.
    pub async fn revoke_key(&self, caller: &Caller, id: &str) -> Result<KeyInfo, Error> {
        let unknown = || Error::KeyNotFound { id: id.to_owned() };
        let key_id = KeyId::parse(id).map_err(|_| unknown())?;
        let (engine, caller, now, given) = (self.clone(), caller.clone(), self.now(), id.to_owned());
        let revoke = move |tx: &rusqlite::Transaction<'_>| {
            let key = tenants::key(tx, &key_id)?.filter(|key| caller.admin || key.tenant == caller.tenant);
            let mut key = key.ok_or(Error::KeyNotFound { id: given })?;
            key.revoked_at.get_or_insert(now);
            tenants::key_update(tx, &key)?;
            engine.inner.keys.forget(&key.id);
            Ok(key)
        };
        self.inner.store.write_durable(revoke).await
    }
}

/// The tenant a caller may manage the keys of.
fn tenant_for(connection: &Connection, caller: &Caller, slug: Option<&str>) -> Result<Tenant, Error> {
    let found = match slug {
        None => tenants::tenant(connection, &caller.tenant)?,
        Some(slug) => tenants::tenant_by_slug(connection, slug)?,
    };
    // To anybody but an admin, other tenants do not exist.
    let found = found.filter(|tenant| caller.admin || tenant.id == caller.tenant);
    found.ok_or_else(|| Error::TenantNotFound { slug: slug.unwrap_or(&caller.namespace).to_owned() })
}
