//! The control plane: a store, an engine with one operation a file, a reconciler, and the HTTP
//! dialects in front of them.
//!
//! ```text
//! http ──▶ engine ──▶ store (SQLite)
//!             │  ▲
//!             ▼  └── reconcile: load the World → plan → commit → tell the node
//!           node (the same API whether embedded or remote)
//! ```

pub mod clock;
pub mod config;
pub mod engine;
pub mod http;
mod reconcile;
pub mod records;
pub mod store;

pub use engine::Engine;
