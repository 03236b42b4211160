//! Builds' rows. `request` beside the body is what a retry repeats, without credentials.

use super::{Error, bodies, body, execute, to_body};
use crate::records::{Build, BuildStatus};
use nullspace_domain::{ArtifactId, BuildId, TemplateId};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// The number the next build gets. Called inside the transaction that inserts it.
pub fn build_next_sequence(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT coalesce(max(sequence), 0) + 1 FROM builds";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

pub fn build_insert(connection: &Connection, build: &Build, request: &str) -> Result<(), Error> {
    let sql = "INSERT INTO builds (id, template, tenant, status, sequence, artifact, body, request)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let parameters = params![
        build.id.as_str(),
        build.template.as_str(),
        build.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()),
        build.status.as_str(),
        build.sequence,
        build.artifact.as_ref().map(ArtifactId::as_str),
        to_body(build),
        request,
    ];
    execute(connection, sql, parameters)?;
    Ok(())
}

/// Called inside the transaction that read it.
pub fn build_update(connection: &Connection, build: &Build) -> Result<(), Error> {
    let sql = "UPDATE builds SET status = ?2, artifact = ?3, body = ?4 WHERE id = ?1";
    let artifact = build.artifact.as_ref().map(ArtifactId::as_str);
    execute(connection, sql, params![build.id.as_str(), build.status.as_str(), artifact, to_body(build)])?;
    Ok(())
}

pub fn build(connection: &Connection, id: &BuildId) -> Result<Option<Build>, Error> {
    body(connection, "builds", "SELECT body FROM builds WHERE id = ?1", [id.as_str()])
}

/// What a retry repeats.
pub fn build_request(connection: &Connection, id: &BuildId) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare_cached("SELECT request FROM builds WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

pub fn build_latest_ready(connection: &Connection, template: &TemplateId) -> Result<Option<Build>, Error> {
    let sql = "SELECT body FROM builds WHERE template = ?1 AND status = 'ready' ORDER BY sequence DESC LIMIT 1";
    body(connection, "builds", sql, [template.as_str()])
}

/// A template's builds that were started before a sequence number, newest first.
pub fn builds_of(
    connection: &Connection,
    template: &TemplateId,
    before: u64,
    status: Option<BuildStatus>,
    most: u32,
) -> Result<Vec<Build>, Error> {
    let sql = "SELECT body FROM builds WHERE template = ?1 AND sequence < ?2 AND (?3 IS NULL OR status = ?3)
        ORDER BY sequence DESC LIMIT ?4";
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let status = status.map(BuildStatus::as_str);
    bodies(connection, "builds", sql, params![template.as_str(), before, status, most])
}

/// Those that had not ended when the server did.
pub fn builds_unfinished(connection: &Connection) -> Result<Vec<Build>, Error> {
    let sql = "SELECT body FROM builds WHERE status IN ('waiting', 'building') ORDER BY sequence";
    bodies(connection, "builds", sql, [])
}

/// Artifacts of ready builds whose template was not deleted: what a tag or ref may still mean.
pub fn artifacts_of_templates(connection: &Connection) -> Result<BTreeSet<ArtifactId>, Error> {
    let sql = "SELECT DISTINCT builds.artifact FROM builds JOIN templates ON templates.id = builds.template
        WHERE builds.artifact IS NOT NULL AND NOT templates.deleted";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(found.iter().filter_map(|text| ArtifactId::parse(text).ok()).collect())
}
