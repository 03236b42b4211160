//! What callers can do, one operation a file. Dialects translate to and from these; nothing here
//! knows a wire.
//!
//! An operation takes a `Caller` and finds only what belongs to that tenant.

pub mod authenticate;
pub mod blobs;
pub mod build_request;
pub mod caller;
pub mod cancel_build;
pub mod change_pool_state;
pub mod create_sandbox;
pub mod create_warm_pool;
pub mod delete_template;
pub mod error;
pub mod explain_warm_pool;
pub mod follow_build;
pub mod get_build;
pub mod get_sandbox;
pub mod get_template;
pub mod get_warm_pool;
pub mod images;
pub mod keys;
pub mod kill_sandbox;
pub mod list_builds;
pub mod list_sandboxes;
pub mod list_templates;
pub mod list_warm_pools;
pub mod open_guest;
pub mod plan_build;
pub mod promote_build;
pub mod retry_build;
pub mod set_timeout;
pub mod start_build;
pub mod tags;
pub mod tenants;
pub mod update_warm_pool;

pub use blobs::{BlobCheck, BlobFile};
pub use build_request::{BuildRequest, Content, ContextEntry};
pub use caller::Caller;
pub use create_sandbox::{CreateSandbox, PoolChoice};
pub use create_warm_pool::CreateWarmPool;
pub use error::Error;
pub use follow_build::BuildLog;
pub use get_build::BuildSnapshot;
pub use get_warm_pool::{IdentityCounts, PoolInfo, Rollout};
pub use keys::NewKey;
pub use list_builds::{BuildFilter, BuildPage};
pub use list_sandboxes::{SandboxFilter, SandboxPage};
pub use list_warm_pools::PoolFilter;
pub use open_guest::{Guest, GuestDefaults};
pub use plan_build::{BuildPlan, Validation};
pub use update_warm_pool::UpdateWarmPool;

use std::sync::Arc;

/// The control plane's operations. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    #[expect(dead_code, reason = "operations land in the next commits")]
    inner: Arc<Inner>,
}

struct Inner {}
