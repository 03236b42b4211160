//! Which sandbox an Idempotency-Key made. A row appears with its sandbox, in one transaction.

use super::{Error, execute, micros};
use nullspace_domain::{SandboxId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// SHA-256 of the request.
    pub fingerprint: [u8; 32],
    pub sandbox: SandboxId,
}

pub fn key_use(connection: &Connection, tenant: &TenantId, key: &str) -> Result<Option<Use>, Error> {
    let sql = "SELECT fingerprint, sandbox FROM idempotency WHERE tenant = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row(params![tenant.as_str(), key], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    Ok(found.and_then(|(fingerprint, sandbox)| Some(Use { fingerprint, sandbox: SandboxId::parse(&sandbox).ok()? })))
}

pub fn key_insert(
    connection: &Connection,
    tenant: &TenantId,
    key: &str,
    used: &Use,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO idempotency (tenant, key, fingerprint, sandbox, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let fingerprint = used.fingerprint.as_slice();
    execute(connection, sql, params![tenant.as_str(), key, fingerprint, used.sandbox.as_str(), micros(now)])?;
    Ok(())
}

/// Frees the key of a create that failed.
pub fn key_free(connection: &Connection, sandbox: &SandboxId) -> Result<(), Error> {
    execute(connection, "DELETE FROM idempotency WHERE sandbox = ?1", [sandbox.as_str()])?;
    Ok(())
}

/// Forgets keys older than their promise.
pub fn keys_purge(connection: &Connection, before: Timestamp) -> Result<usize, Error> {
    execute(connection, "DELETE FROM idempotency WHERE created_at < ?1", [micros(before)])
}
