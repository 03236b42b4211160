//! What travels between clients and the server: the wire types of every endpoint, and a typed client.
//!
//! Types are written field by field, because some published clients crash on one key too many (spec
//! api §3). Two rules hold everywhere: what is absent is omitted, never `null`; and in a request an
//! explicit `null` means absent, which is why request fields are `Option`.

pub mod admin;
pub mod build_request;
pub mod builds;
pub mod client;
pub mod commands;
pub mod error;
pub mod files;
pub mod frames;
pub mod preview;
pub mod sandboxes;
pub mod secret;
pub mod templates;
pub mod warm_pools;

pub use client::Client;
pub use error::{ErrorBody, ErrorCode};
pub use secret::Secret;

/// A moment on the wire: RFC 3339, UTC.
pub type Timestamp = jiff::Timestamp;

/// A JSON object whose content is the caller's own.
pub type Object = serde_json::Map<String, serde_json::Value>;
