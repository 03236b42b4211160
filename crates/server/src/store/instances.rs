//! Machines' rows. `instance_update` is the only way one changes: it holds if nobody else changed it.

use super::{Error, bodies, body, execute, micros, to_body};
use nullspace_domain::instance::{End, Instance, State};
use nullspace_domain::{ArtifactId, InstanceId, NodeId, TenantId, Timestamp, WarmPoolId};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// The word in the table, and since when.
fn state_columns(instance: &Instance) -> (&'static str, Timestamp) {
    match &instance.state {
        State::Requested => ("requested", instance.created_at),
        State::Starting { since, .. } => ("starting", *since),
        State::Ready { since, .. } => ("ready", *since),
        State::Bound { since, .. } => ("bound", *since),
        State::Stopping { since, .. } => ("stopping", *since),
        State::Gone { at, .. } => ("gone", *at),
    }
}

fn ended_why(instance: &Instance) -> Option<&'static str> {
    match &instance.state {
        State::Gone { why, .. } => Some(match why {
            End::Released => "released",
            End::Finished => "finished",
            End::Expired => "expired",
            End::Failed => "failed",
            End::Lost => "lost",
        }),
        _ => None,
    }
}

pub fn instance_insert(connection: &Connection, instance: &Instance) -> Result<(), Error> {
    let sql = "INSERT INTO instances
        (id, tenant, pool, node, state, since, artifact, vcpus, memory_mb, disk_mb, revision, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let (state, since) = state_columns(instance);
    let size = instance.resources;
    let parameters = params![
        instance.id.as_str(),
        instance.tenant.as_str(),
        instance.pool.as_ref().map(WarmPoolId::as_str),
        instance.node().map(NodeId::as_str),
        state,
        micros(since),
        instance.artifact.as_str(),
        size.vcpus,
        size.memory_mb,
        size.disk_mb,
        instance.revision,
        to_body(instance),
    ];
    execute(connection, sql, parameters)?;
    Ok(())
}

/// Writes a changed instance if it is still what it was before the change. Says whether it was.
#[must_use = "someone else may have changed it first"]
pub fn instance_update(connection: &Connection, instance: &Instance, before: u64) -> Result<bool, Error> {
    let sql = "UPDATE instances SET state = ?3, since = ?4, node = ?5, revision = ?6, body = ?7, ended_why = ?8
        WHERE id = ?1 AND revision = ?2";
    let (state, since) = state_columns(instance);
    let parameters = params![
        instance.id.as_str(),
        before,
        state,
        micros(since),
        instance.node().map(NodeId::as_str),
        instance.revision,
        to_body(instance),
        ended_why(instance),
    ];
    Ok(execute(connection, sql, parameters)? == 1)
}

pub fn instance(connection: &Connection, id: &InstanceId) -> Result<Option<Instance>, Error> {
    body(connection, "instances", "SELECT body FROM instances WHERE id = ?1", [id.as_str()])
}

/// Ready members, longest ready first.
pub fn instances_ready(connection: &Connection, pool: &WarmPoolId) -> Result<Vec<Instance>, Error> {
    let sql = "SELECT body FROM instances WHERE pool = ?1 AND state = 'ready' ORDER BY since, id";
    bodies(connection, "instances", sql, [pool.as_str()])
}

/// The same, only the first few: a checkout needs one.
pub fn instances_ready_first(connection: &Connection, pool: &WarmPoolId, most: u32) -> Result<Vec<Instance>, Error> {
    let sql = "SELECT body FROM instances WHERE pool = ?1 AND state = 'ready' ORDER BY since, id LIMIT ?2";
    bodies(connection, "instances", sql, params![pool.as_str(), most])
}

/// A pool's rows that are not gone, and those gone since a moment for another reason than the end of
/// their sandbox.
pub fn instances_of_pool(
    connection: &Connection,
    pool: &WarmPoolId,
    gone_since: Timestamp,
) -> Result<Vec<Instance>, Error> {
    let sql = "SELECT body FROM instances
            WHERE pool = ?1 AND state IN ('requested', 'starting', 'ready', 'bound', 'stopping')
        UNION ALL SELECT body FROM instances
            WHERE pool = ?1 AND state = 'gone' AND ended_why <> 'finished' AND since >= ?2";
    bodies(connection, "instances", sql, params![pool.as_str(), micros(gone_since)])
}

/// Every row that is not gone.
pub fn instances_present(connection: &Connection) -> Result<Vec<Instance>, Error> {
    bodies(connection, "instances", "SELECT body FROM instances WHERE state <> 'gone'", [])
}

/// Those told to end, for whoever repeats it.
pub fn instances_stopping(connection: &Connection) -> Result<Vec<Instance>, Error> {
    bodies(connection, "instances", "SELECT body FROM instances WHERE state = 'stopping'", [])
}

/// What instances that are not gone take up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    pub instances: u32,
    pub memory_mb: u64,
    pub disk_mb: u64,
    pub starting: u32,
}

const USE: &str = "SELECT count(*), coalesce(sum(memory_mb), 0), coalesce(sum(disk_mb), 0),
    coalesce(sum(state = 'starting'), 0) FROM instances WHERE state <> 'gone'";

fn read_use(row: &rusqlite::Row<'_>) -> rusqlite::Result<Use> {
    Ok(Use { instances: row.get(0)?, memory_mb: row.get(1)?, disk_mb: row.get(2)?, starting: row.get(3)? })
}

pub fn use_of_node(connection: &Connection, node: &NodeId) -> Result<Use, Error> {
    let sql = format!("{USE} AND node = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([node.as_str()], read_use)?)
}

pub fn use_of_tenant(connection: &Connection, tenant: &TenantId) -> Result<Use, Error> {
    let sql = format!("{USE} AND tenant = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([tenant.as_str()], read_use)?)
}

/// Artifacts that some machine runs from.
pub fn artifacts_in_use(connection: &Connection) -> Result<BTreeSet<ArtifactId>, Error> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT artifact FROM instances WHERE state <> 'gone'")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(found.iter().filter_map(|text| ArtifactId::parse(text).ok()).collect())
}

/// Forgets rows that nobody counts any more.
pub fn instances_purge(connection: &Connection, gone_before: Timestamp) -> Result<usize, Error> {
    execute(connection, "DELETE FROM instances WHERE state = 'gone' AND since < ?1", [micros(gone_before)])
}
