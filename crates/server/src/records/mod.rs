//! What is kept: one struct per durable thing, as the store holds it and the dialects show it.
//!
//! Pools and instances are the domain's own (`nullspace_domain::{warm_pool, instance}`).

pub mod build;
pub mod build_log;
pub mod sandbox;
pub mod template;
pub mod tenant;

pub use nullspace_domain::checkout::{MissReason, Receipt, Source};

pub use build::{Build, BuildStatus, CacheSummary, Failure, SourceType};
pub use build_log::{CacheNote, LogEntry, LogKind, LogLevel};
pub use sandbox::{Sandbox, SandboxStatus};
pub use template::{Tag, Template, TemplateInfo};
pub use tenant::{KeyInfo, Tenant};
