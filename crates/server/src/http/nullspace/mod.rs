//! The nullspace dialect: what the published `nullspace-sdk` 0.1.9 speaks. One file a verb.

mod admin;
mod builds;
pub(super) mod error;
mod files;
mod health;
mod not_yet;
mod preview;
pub(super) mod router;
mod sandboxes;
mod templates;
mod warm_pools;

pub use error::Error;
pub use router::router;
