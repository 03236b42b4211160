//! Tenants and the digests of their keys.

use super::{Error, bodies, body, execute, to_body};
use crate::records::{KeyInfo, Tenant};
use nullspace_domain::{KeyId, TenantId};
use rusqlite::{Connection, params};

/// Says whether the slug was free.
pub fn tenant_insert(connection: &Connection, tenant: &Tenant) -> Result<bool, Error> {
    let sql = "INSERT INTO tenants (id, slug, body) VALUES (?1, ?2, ?3) ON CONFLICT (slug) DO NOTHING";
    Ok(execute(connection, sql, params![tenant.id.as_str(), tenant.slug, to_body(tenant)])? == 1)
}

pub fn tenant(connection: &Connection, id: &TenantId) -> Result<Option<Tenant>, Error> {
    body(connection, "tenants", "SELECT body FROM tenants WHERE id = ?1", [id.as_str()])
}

pub fn tenant_by_slug(connection: &Connection, slug: &str) -> Result<Option<Tenant>, Error> {
    body(connection, "tenants", "SELECT body FROM tenants WHERE slug = ?1", [slug])
}

pub fn tenants(connection: &Connection) -> Result<Vec<Tenant>, Error> {
    bodies(connection, "tenants", "SELECT body FROM tenants ORDER BY slug", [])
}

/// A key that is known by its SHA-256. One that was revoked stays so.
pub fn key_insert(connection: &Connection, key: &KeyInfo, hash: &[u8; 32]) -> Result<(), Error> {
    let sql = "INSERT INTO keys (id, tenant, hash, revoked, body) VALUES (?1, ?2, ?3, 0, ?4)";
    execute(connection, sql, params![key.id.as_str(), key.tenant.as_str(), hash.as_slice(), to_body(key)])?;
    Ok(())
}

/// Also a revoked one.
pub fn key_by_hash(connection: &Connection, hash: &[u8; 32]) -> Result<Option<KeyInfo>, Error> {
    body(connection, "keys", "SELECT body FROM keys WHERE hash = ?1", [hash.as_slice()])
}

pub fn key(connection: &Connection, id: &KeyId) -> Result<Option<KeyInfo>, Error> {
    body(connection, "keys", "SELECT body FROM keys WHERE id = ?1", [id.as_str()])
}

pub fn keys_of(connection: &Connection, tenant: &TenantId) -> Result<Vec<KeyInfo>, Error> {
    bodies(connection, "keys", "SELECT body FROM keys WHERE tenant = ?1 ORDER BY id", [tenant.as_str()])
}

/// Writes a key back, revoked or valid again.
pub fn key_update(connection: &Connection, key: &KeyInfo) -> Result<(), Error> {
    let sql = "UPDATE keys SET revoked = ?2, body = ?3 WHERE id = ?1";
    execute(connection, sql, params![key.id.as_str(), key.revoked_at.is_some(), to_body(key)])?;
    Ok(())
}
