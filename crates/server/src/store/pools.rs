//! Pools' rows.

use super::{Error, bodies, body, execute, micros, to_body};
use nullspace_domain::warm_pool::{PoolState, WarmPool};
use nullspace_domain::{TemplateId, TenantId, WarmPoolId};
use rusqlite::{Connection, params};

fn word(state: PoolState) -> &'static str {
    match state {
        PoolState::Enabled => "enabled",
        PoolState::Disabled => "disabled",
        PoolState::Draining => "draining",
        PoolState::Deleted => "deleted",
    }
}

/// Says whether the id was free.
pub fn pool_insert(connection: &Connection, pool: &WarmPool) -> Result<bool, Error> {
    let sql = "INSERT INTO pools (id, tenant, state, template, created_at, revision, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
    let parameters = params![
        pool.id.as_str(),
        pool.tenant.as_str(),
        word(pool.state),
        pool.template.as_str(),
        micros(pool.created_at),
        pool.revision,
        to_body(pool),
    ];
    Ok(execute(connection, sql, parameters)? == 1)
}

/// Writes a changed pool and counts its revision. Called inside the transaction that read it.
pub fn pool_update(connection: &Connection, pool: &mut WarmPool) -> Result<(), Error> {
    pool.revision += 1;
    let sql = "UPDATE pools SET state = ?2, template = ?3, revision = ?4, body = ?5 WHERE id = ?1";
    let parameters = params![pool.id.as_str(), word(pool.state), pool.template.as_str(), pool.revision, to_body(pool)];
    execute(connection, sql, parameters)?;
    Ok(())
}

pub fn pool(connection: &Connection, id: &WarmPoolId) -> Result<Option<WarmPool>, Error> {
    body(connection, "pools", "SELECT body FROM pools WHERE id = ?1", [id.as_str()])
}

/// None also when it is another tenant's.
pub fn pool_of(connection: &Connection, tenant: &TenantId, id: &WarmPoolId) -> Result<Option<WarmPool>, Error> {
    let sql = "SELECT body FROM pools WHERE id = ?1 AND tenant = ?2";
    body(connection, "pools", sql, [id.as_str(), tenant.as_str()])
}

/// A tenant's pools, newest first, deleted ones included.
pub fn pools_of(connection: &Connection, tenant: &TenantId) -> Result<Vec<WarmPool>, Error> {
    let sql = "SELECT body FROM pools WHERE tenant = ?1 ORDER BY created_at DESC, id";
    bodies(connection, "pools", sql, [tenant.as_str()])
}

pub fn pools(connection: &Connection) -> Result<Vec<WarmPool>, Error> {
    bodies(connection, "pools", "SELECT body FROM pools", [])
}

/// Pools that a change of this template's tags concerns.
pub fn pool_ids_of_template(connection: &Connection, template: &TemplateId) -> Result<Vec<WarmPoolId>, Error> {
    let mut statement = connection.prepare_cached("SELECT id FROM pools WHERE template = ?1")?;
    let found = statement.query_map([template.as_str()], |row| row.get::<_, String>(0))?;
    let found = found.collect::<Result<Vec<_>, _>>()?;
    Ok(found.iter().filter_map(|text| WarmPoolId::parse(text).ok()).collect())
}

/// Forgets a deleted pool after its grace period.
pub fn pool_remove(connection: &Connection, id: &WarmPoolId) -> Result<(), Error> {
    execute(connection, "DELETE FROM pools WHERE id = ?1 AND state = 'deleted'", [id.as_str()])?;
    Ok(())
}
