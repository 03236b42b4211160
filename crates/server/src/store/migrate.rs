//! The schema, and how an older database becomes the present one.
//!
//! A version is a script that is never changed after it has landed; a change is another version.

use super::Error;
use rusqlite::Connection;

/// In order. The database's `user_version` says how many of them it has seen.
const VERSIONS: &[&str] = &[V1, V2];

/// Each row is a JSON `body` and the columns it is found by, written from the body in one place.
/// `instances` alone has more: its `state` and `revision` decide who gets a machine.
const V1: &str = "
CREATE TABLE tenants (
    id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE keys (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenants, hash BLOB NOT NULL UNIQUE,
    revoked INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE templates (
    id TEXT PRIMARY KEY, tenant TEXT, namespace TEXT NOT NULL, name TEXT NOT NULL,
    deleted INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX templates_by_name ON templates (namespace, name) WHERE NOT deleted;
-- `sequence` is the start order of the build a tag was given to: a slow older build does not take it back.
CREATE TABLE tags (
    template TEXT NOT NULL REFERENCES templates, tag TEXT NOT NULL, build TEXT NOT NULL,
    sequence INTEGER NOT NULL, assigned_at INTEGER NOT NULL, PRIMARY KEY (template, tag)
) WITHOUT ROWID;
-- Every move of a tag; `build` is null where it was removed.
CREATE TABLE tag_moves (
    template TEXT NOT NULL, tag TEXT NOT NULL, build TEXT, moved_at INTEGER NOT NULL
);
CREATE INDEX tag_moves_by_tag ON tag_moves (template, tag, moved_at);
CREATE TABLE builds (
    id TEXT PRIMARY KEY, template TEXT NOT NULL REFERENCES templates, tenant TEXT, status TEXT NOT NULL,
    sequence INTEGER NOT NULL UNIQUE, artifact TEXT, body TEXT NOT NULL, request TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX builds_by_template ON builds (template, sequence);
CREATE INDEX builds_unfinished ON builds (status) WHERE status IN ('waiting', 'building');
CREATE TABLE build_log (
    build TEXT NOT NULL REFERENCES builds, entry_offset INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (build, entry_offset)
) WITHOUT ROWID;

CREATE TABLE pools (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, state TEXT NOT NULL, template TEXT NOT NULL,
    created_at INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX pools_by_tenant ON pools (tenant, created_at);
CREATE INDEX pools_by_template ON pools (template);
CREATE TABLE instances (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, pool TEXT, node TEXT, state TEXT NOT NULL,
    since INTEGER NOT NULL, artifact TEXT NOT NULL, vcpus INTEGER NOT NULL, memory_mb INTEGER NOT NULL,
    disk_mb INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX instances_by_pool ON instances (pool, state, since);
CREATE INDEX instances_present ON instances (state, node) WHERE state <> 'gone';
CREATE INDEX instances_gone ON instances (since) WHERE state = 'gone';

CREATE TABLE sandboxes (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, status TEXT NOT NULL, template TEXT NOT NULL,
    instance TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL, timeout_at INTEGER,
    revision INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sandboxes_by_tenant ON sandboxes (tenant, created_at, id);
CREATE INDEX sandboxes_live ON sandboxes (status, timeout_at) WHERE status IN ('creating', 'running', 'paused');
CREATE TABLE idempotency (
    tenant TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, sandbox TEXT NOT NULL,
    created_at INTEGER NOT NULL, PRIMARY KEY (tenant, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
CREATE INDEX idempotency_by_sandbox ON idempotency (sandbox);
";

/// Why an instance ended. Those whose sandbox ended are many and no plan counts them: a pass over a busy
/// pool must not read an hour of them.
const V2: &str = "
ALTER TABLE instances ADD COLUMN ended_why TEXT;
UPDATE instances SET ended_why = json_extract(body, '$.state.why') WHERE state = 'gone';
CREATE INDEX instances_ended ON instances (pool, since) WHERE state = 'gone' AND ended_why <> 'finished';
";

/// Brings a database of any earlier landing to the present schema, one version a transaction.
pub fn forward(connection: &mut Connection) -> Result<(), Error> {
    let known = u32::try_from(VERSIONS.len()).expect("a handful of versions");
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(Error::TooNew { found, known });
    }
    for version in found..known {
        let migrate = |source| Error::Migrate { version: version + 1, source };
        let transaction = connection.transaction().map_err(migrate)?;
        transaction.execute_batch(VERSIONS[version as usize]).map_err(migrate)?;
        transaction.pragma_update(None, "user_version", version + 1).map_err(migrate)?;
        transaction.commit().map_err(migrate)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_every_earlier_version_is_brought_forward_and_a_newer_one_left_alone() {
        for (version, _) in VERSIONS.iter().enumerate() {
            let mut connection = Connection::open_in_memory().unwrap();
            for script in &VERSIONS[..version] {
                connection.execute_batch(script).unwrap();
            }
            connection.pragma_update(None, "user_version", u32::try_from(version).unwrap()).unwrap();
            forward(&mut connection).unwrap();
            let found: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(found, VERSIONS.len());
            forward(&mut connection).unwrap();
            connection.pragma_update(None, "user_version", 999).unwrap();
            assert!(matches!(forward(&mut connection), Err(Error::TooNew { found: 999, .. })));
        }
    }
}
