//! What callers can do, one operation a file. Dialects translate to and from these; nothing here
//! knows a wire.
//!
//! An operation takes a `Caller` and finds only what belongs to that tenant.

pub mod authenticate;
pub mod blobs;
mod bootstrap;
mod builds_running;
mod builtin;
pub mod caller;
pub mod cancel_build;
pub mod change_pool_state;
mod checkout;
pub(crate) mod cold_start;
pub mod create_sandbox;
pub mod create_warm_pool;
pub mod delete_template;
mod end_instance;
pub mod error;
pub mod explain_warm_pool;
pub mod follow_build;
pub mod get_build;
pub mod get_sandbox;
pub mod get_template;
pub mod get_warm_pool;
pub mod images;
mod in_flight;
pub mod keys;
pub mod kill_sandbox;
pub mod list_builds;
pub mod list_sandboxes;
pub mod list_templates;
pub mod list_warm_pools;
mod lookup;
pub mod open_guest;
mod parse_create;
pub mod plan_build;
pub mod promote_build;
mod recover;
mod recover_builds;
pub mod retry_build;
mod run_build;
pub mod set_timeout;
mod shutdown;
pub mod start_build;
pub mod tags;
pub mod tenants;
pub mod update_warm_pool;
mod waiters;
mod wake;

pub use blobs::{BlobCheck, BlobFile};
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

use crate::clock::{Clock, Entropy};
use crate::config::EngineConfig;
use crate::reconcile::Due;
use crate::store::Store;
use builds_running::BuildsRunning;
use in_flight::InFlight;
use nullspace_domain::{ArtifactId, NodeId, Timestamp, WarmPoolId};
use nullspace_node::api::{Node, NodeStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use waiters::Waiters;

/// The control plane's operations. Clones share everything.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub config: EngineConfig,
    pub store: Store,
    pub node: Arc<dyn Node>,
    pub clock: Clock,
    pub entropy: Entropy,
    pub keys: authenticate::KeyCache,
    /// Creates that run now, by tenant and Idempotency-Key.
    pub in_flight: InFlight,
    /// Creates that wait for a member, in order.
    pub waiters: Waiters,
    pub builds: BuildsRunning,
    /// One builtin template is built at a time.
    pub builtins: tokio::sync::Mutex<()>,
    pub cold_starts: tokio::sync::Semaphore,
    /// Pools that want a plan.
    pub due: Due,
    pub memory: Mutex<Memory>,
    /// Set when the server is ending: what fails now was interrupted.
    pub stopping: CancellationToken,
    /// Work that outlives the request that caused it.
    pub tasks: TaskTracker,
}

/// What is known about the present and can be found out again: nothing here must survive.
#[derive(Default)]
pub(crate) struct Memory {
    /// What the last plan had to say, by pool.
    pub notes: BTreeMap<WarmPoolId, Vec<String>>,
    /// What the last failed start said, by pool.
    pub start_failures: BTreeMap<WarmPoolId, String>,
    /// Artifacts the node said it does not have.
    pub missing_artifacts: BTreeSet<ArtifactId>,
    /// When each pool's last pass was.
    pub reconciled: BTreeMap<WarmPoolId, Timestamp>,
    /// Old members released by each pool's last pass.
    pub released: BTreeMap<WarmPoolId, u32>,
    /// The node's last answer about itself.
    pub node_status: Option<NodeStatus>,
}

impl Engine {
    /// Opens the control plane on a store and a host: the first tenant and its key exist, and every
    /// row agrees with what the host still has. Nothing runs by itself before `run`.
    pub async fn open(
        config: EngineConfig,
        store: Store,
        node: Arc<dyn Node>,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let inner = Inner {
            cold_starts: tokio::sync::Semaphore::new(config.cold_starts_at_once),
            builtins: tokio::sync::Mutex::new(()),
            stopping: CancellationToken::new(),
            builds: BuildsRunning::new(config.builds_at_once),
            config,
            store,
            node,
            clock,
            entropy,
            keys: authenticate::KeyCache::default(),
            in_flight: InFlight::default(),
            waiters: Waiters::default(),
            due: Due::default(),
            memory: Mutex::default(),
            tasks: TaskTracker::new(),
        };
        let engine = Self { inner: Arc::new(inner) };
        engine.bootstrap().await?;
        engine.recover().await?;
        Ok(engine)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn node_id(&self) -> NodeId {
        self.inner.node.id()
    }

    pub(crate) fn memory<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        look(&mut self.inner.memory.lock().expect("nothing panics while it looks"))
    }

    /// The host's last answer about itself; asks it the first time.
    pub(crate) async fn host_status(&self) -> NodeStatus {
        if let Some(status) = self.memory(|memory| memory.node_status.clone()) {
            return status;
        }
        self.refresh_host_status().await
    }

    pub(crate) async fn refresh_host_status(&self) -> NodeStatus {
        let status = self.inner.node.status().await;
        self.memory(|memory| memory.node_status = Some(status.clone()));
        status
    }

    /// A pool wants a plan.
    pub(crate) fn pool_changed(&self, pool: Option<&WarmPoolId>) {
        if let Some(pool) = pool {
            self.inner.due.mark(pool);
        }
    }

    /// Work that goes on when its caller goes away.
    pub(crate) fn spawn<F>(&self, work: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.inner.tasks.spawn(work)
    }
}
