//! Sandboxes' rows. A sandbox's row stays for ever; its status only goes forward.

use super::{Error, bodies, body, execute, micros, to_body};
use crate::records::{Sandbox, SandboxStatus};
use nullspace_domain::{InstanceId, SandboxId, TenantId, Timestamp};
use rusqlite::{Connection, params};

pub fn sandbox_insert(connection: &Connection, sandbox: &Sandbox) -> Result<(), Error> {
    let sql = "INSERT INTO sandboxes
        (id, tenant, status, template, instance, created_at, timeout_at, revision, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let parameters = params![
        sandbox.id.as_str(),
        sandbox.tenant.as_str(),
        sandbox.status.as_str(),
        sandbox.template.as_str(),
        sandbox.instance.as_str(),
        micros(sandbox.created_at),
        sandbox.timeout_at.map(micros),
        sandbox.revision,
        to_body(sandbox),
    ];
    execute(connection, sql, parameters)?;
    Ok(())
}

/// Writes a changed sandbox and counts its revision. Called inside the transaction that read it.
pub fn sandbox_update(connection: &Connection, sandbox: &mut Sandbox) -> Result<(), Error> {
    sandbox.revision += 1;
    let sql = "UPDATE sandboxes SET status = ?2, timeout_at = ?3, revision = ?4, body = ?5 WHERE id = ?1";
    let parameters = params![
        sandbox.id.as_str(),
        sandbox.status.as_str(),
        sandbox.timeout_at.map(micros),
        sandbox.revision,
        to_body(sandbox),
    ];
    execute(connection, sql, parameters)?;
    Ok(())
}

pub fn sandbox(connection: &Connection, id: &SandboxId) -> Result<Option<Sandbox>, Error> {
    body(connection, "sandboxes", "SELECT body FROM sandboxes WHERE id = ?1", [id.as_str()])
}

/// None also when it is another tenant's.
pub fn sandbox_of(connection: &Connection, tenant: &TenantId, id: &SandboxId) -> Result<Option<Sandbox>, Error> {
    let sql = "SELECT body FROM sandboxes WHERE id = ?1 AND tenant = ?2";
    body(connection, "sandboxes", sql, [id.as_str(), tenant.as_str()])
}

/// Whose machine it is, if any sandbox holds it.
pub fn sandbox_on(connection: &Connection, instance: &InstanceId) -> Result<Option<Sandbox>, Error> {
    body(connection, "sandboxes", "SELECT body FROM sandboxes WHERE instance = ?1", [instance.as_str()])
}

pub fn sandboxes_in(connection: &Connection, status: SandboxStatus) -> Result<Vec<Sandbox>, Error> {
    bodies(connection, "sandboxes", "SELECT body FROM sandboxes WHERE status = ?1", [status.as_str()])
}

/// Running ones whose time is over, a bounded number at once.
pub fn sandboxes_overdue(connection: &Connection, now: Timestamp, most: u32) -> Result<Vec<Sandbox>, Error> {
    let sql = "SELECT body FROM sandboxes
        WHERE status IN ('creating', 'running', 'paused') AND status = 'running' AND timeout_at <= ?1 LIMIT ?2";
    bodies(connection, "sandboxes", sql, params![micros(now), most])
}

/// When the next one's time is over.
pub fn sandboxes_next_timeout(connection: &Connection) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT min(timeout_at) FROM sandboxes
        WHERE status IN ('creating', 'running', 'paused') AND status = 'running'";
    let found: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(found.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
}

/// Where a page begins: after this one, in the order newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub created_at: i64,
    pub id: String,
}

impl Position {
    pub fn of(sandbox: &Sandbox) -> Self {
        Self { created_at: micros(sandbox.created_at), id: sandbox.id.to_string() }
    }

    /// Whether it comes later in the order newest first.
    pub fn is_after(&self, other: &Self) -> bool {
        (self.created_at, &self.id) < (other.created_at, &other.id)
    }
}

/// A tenant's sandboxes, newest first, after a position. The caller filters the rest.
pub fn sandboxes_page(
    connection: &Connection,
    tenant: &TenantId,
    after: Option<&Position>,
    most: u32,
) -> Result<Vec<Sandbox>, Error> {
    let sql = "SELECT body FROM sandboxes WHERE tenant = ?1 AND (created_at, id) < (?2, ?3)
        ORDER BY created_at DESC, id DESC LIMIT ?4";
    let (created_at, id) = after.map_or((i64::MAX, ""), |position| (position.created_at, position.id.as_str()));
    bodies(connection, "sandboxes", sql, params![tenant.as_str(), created_at, id, most])
}

/// The same among those that are live, which are few beside those that ever were.
pub fn sandboxes_live_of(connection: &Connection, tenant: &TenantId) -> Result<Vec<Sandbox>, Error> {
    let sql = "SELECT body FROM sandboxes WHERE status IN ('creating', 'running', 'paused') AND tenant = ?1
        ORDER BY created_at DESC, id DESC";
    bodies(connection, "sandboxes", sql, [tenant.as_str()])
}
