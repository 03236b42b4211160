//! What survives: one SQLite database in the data directory.
//!
//! One thread writes, another reads; both take closures, so a whole decision (read, decide, write)
//! is one transaction without a lock held across an `await`. In write-ahead mode readers see the
//! last commit and never wait for the writer.
//!
//! A commit survives the death of the process at any moment. `write_durable` also survives the
//! machine losing power: it waits for the disk, which a checkout has no time for.

mod migrate;
mod thread;

pub mod build_logs;
pub mod builds;
pub mod idempotency;
pub mod instances;
pub mod pools;
pub mod sandboxes;
pub mod templates;
pub mod tenants;

use rusqlite::{Connection, Transaction};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use thread::Worker;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open the database `{path}`", path = path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("cannot make the database `{path}` private", path = path.display())]
    Protect {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the database was written by a newer version (schema {found}, this one knows {known})")]
    TooNew { found: u32, known: u32 },
    #[error("cannot bring the database to schema {version}")]
    Migrate {
        version: u32,
        #[source]
        source: rusqlite::Error,
    },
    #[error("the database failed")]
    Query(#[from] rusqlite::Error),
    #[error("a row of `{table}` cannot be read")]
    Row {
        table: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the store is closed")]
    Closed,
    #[error("cannot start the store's thread")]
    Thread(#[source] std::io::Error),
}

/// The database. Clones share it; it closes when the last one is gone.
#[derive(Clone)]
pub struct Store {
    writer: Worker,
    reader: Worker,
}

impl Store {
    /// Opens or creates the database, and brings an older one forward.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = |source| Error::Open { path: path.to_owned(), source };
        let mut writer = connect(path).map_err(open)?;
        // Environment values of sandboxes are in it. SQLite gives its side files the same permissions.
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, private).map_err(|source| Error::Protect { path: path.to_owned(), source })?;
        migrate::forward(&mut writer)?;
        let reader = connect(path).map_err(open)?;
        Ok(Self { writer: Worker::start("store-writer", writer)?, reader: Worker::start("store-reader", reader)? })
    }

    /// One transaction: committed if the closure answers `Ok`, undone otherwise.
    pub async fn write<T, E>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.run(move |connection| transact(connection, change)).await?
    }

    /// The same, and on the disk before it answers.
    pub async fn write_durable<T, E>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let durable = move |connection: &mut Connection| {
            connection.pragma_update(None, "synchronous", "FULL").map_err(Error::from)?;
            let result = transact(connection, change);
            connection.pragma_update(None, "synchronous", "NORMAL").map_err(Error::from)?;
            result
        };
        self.writer.run(durable).await?
    }

    /// Sees every commit that was answered before the call.
    pub async fn read<T, E>(&self, look: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.reader.run(move |connection| look(connection)).await?
    }
}

fn transact<T, E: From<Error>>(
    connection: &mut Connection,
    change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(Error::from)?;
    let answer = change(&transaction)?;
    transaction.commit().map_err(Error::from)?;
    Ok(answer)
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // A second process on the same directory is refused by its lock; this covers `sqlite3` in a shell.
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // Every statement of a checkout stays prepared.
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// A moment as a column: microseconds, so that order is numeric order.
fn micros(moment: nullspace_domain::Timestamp) -> i64 {
    moment.as_microsecond()
}

/// A struct as a row's `body`. The columns beside it are keys to find it by, written from it.
fn to_body<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records hold nothing that JSON cannot")
}

fn from_body<T: serde::de::DeserializeOwned>(table: &'static str, body: &str) -> Result<T, Error> {
    serde_json::from_str(body).map_err(|source| Error::Row { table, source })
}

/// Runs a query whose first column is a body.
fn bodies<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    table: &'static str,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_body(table, row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

/// The same for at most one.
fn body<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    table: &'static str,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<T>, Error> {
    Ok(bodies(connection, table, sql, parameters)?.pop())
}

/// Runs a statement that changes rows, and says how many.
fn execute(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<usize, Error> {
    Ok(connection.prepare_cached(sql)?.execute(parameters)?)
}
