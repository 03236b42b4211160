//! Builds, their logs and context files, one verb a file.

pub mod build;
pub mod cancel;
pub mod get;
pub mod list;
pub mod logs;
pub mod plan;
pub mod preflight;
pub mod promote;
pub mod put_blob;
pub mod request;
pub mod retry;
pub mod start;
pub mod validate;
pub mod view;
