//! What survives: SQLite in the data directory.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the store is closed")]
    Closed,
}
