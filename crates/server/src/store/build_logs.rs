//! Builds' log entries, numbered without gaps.

use super::{Error, bodies, execute, to_body};
use crate::records::LogEntry;
use nullspace_domain::BuildId;
use rusqlite::{Connection, params};

pub fn entry_append(connection: &Connection, entry: &LogEntry) -> Result<(), Error> {
    let sql = "INSERT INTO build_log (build, entry_offset, body) VALUES (?1, ?2, ?3)";
    execute(connection, sql, params![entry.build.as_str(), entry.offset, to_body(entry)])?;
    Ok(())
}

/// The offset of the next entry.
pub fn entry_next_offset(connection: &Connection, build: &BuildId) -> Result<u64, Error> {
    let sql = "SELECT coalesce(max(entry_offset) + 1, 0) FROM build_log WHERE build = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([build.as_str()], |row| row.get(0))?)
}

/// Entries from an offset on.
pub fn entries_from(connection: &Connection, build: &BuildId, offset: u64, most: u32) -> Result<Vec<LogEntry>, Error> {
    let sql = "SELECT body FROM build_log WHERE build = ?1 AND entry_offset >= ?2 ORDER BY entry_offset LIMIT ?3";
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    bodies(connection, "build_log", sql, params![build.as_str(), offset, most])
}
