//! Build requests: what may be in one, and the plan it becomes (spec templates §6, §7).
//!
//! Clients validate next to nothing, so a request is read field by field and every problem in it is
//! reported at once. What comes out is split in two: a [`Definition`], which is kept for retries, and
//! [`Credentials`], which are never written anywhere.

mod config;
mod context;
mod credentials;
mod definition;
mod digest;
mod plan;
mod problem;
mod request;
mod runtime_config;
mod shell;
mod step;
mod step_rules;
#[cfg(test)]
mod tests;

pub use config::BuildConfig;
pub use context::{Content, ContextEntry};
pub use credentials::{BuildSecret, Credentials, RegistryAuth, Secret};
pub use definition::{Backend, Base, Definition, Needs, Retry, Source};
pub use plan::plan_json;
pub use problem::{Problem, Problems};
pub use request::BuildRequest;
pub use step::{CopyItem, Step};
