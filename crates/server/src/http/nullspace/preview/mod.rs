//! Ports of a sandbox, one verb a file.

pub mod host;
pub mod list;
pub mod port;
pub mod preview_url;
pub mod readiness;
pub mod revoke;
pub mod sign;
pub mod view;
