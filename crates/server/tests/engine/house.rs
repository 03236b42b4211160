//! A control plane in a temporary directory, which can be killed and started again.

use nullspace_domain::warm_pool::Mode;
use nullspace_server::Engine;
use nullspace_server::clock::{Clock, Entropy};
use nullspace_server::config::EngineConfig;
use nullspace_server::engine::{Caller, CreateSandbox, CreateWarmPool, Error, PoolChoice, PoolInfo};
use nullspace_server::records::{Build, BuildStatus, Sandbox};
use nullspace_server::store::Store;
use nullspace_testkit::SimNode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The key every house opens with.
pub const KEY: &str = "ns_live_test";

pub struct House {
    pub engine: Engine,
    pub node: SimNode,
    pub caller: Caller,
    pub directory: Arc<tempfile::TempDir>,
    running: tokio::task::JoinHandle<()>,
}

impl House {
    pub async fn open() -> Self {
        Self::open_on(Arc::new(tempfile::tempdir().unwrap()), SimNode::new()).await
    }

    async fn open_on(directory: Arc<tempfile::TempDir>, node: SimNode) -> Self {
        let mut config = EngineConfig::new(directory.path());
        config.bootstrap_key = Some(KEY.to_owned());
        config.namespace = "team".to_owned();
        config.answer_within = Duration::from_millis(500);
        let store = Store::open(&directory.path().join("nullspace.db")).unwrap();
        let entropy = Entropy::system().unwrap();
        let engine = Engine::open(config, store, Arc::new(node.clone()), Clock::system(), entropy).await.unwrap();
        let caller = engine.authenticate(KEY).await.unwrap();
        let worker = engine.clone();
        let running = tokio::spawn(async move { worker.run(CancellationToken::new()).await });
        Self { engine, node, caller, directory, running }
    }

    /// The control plane dies without a word; the host and the directory stay. What it had begun in
    /// memory is abandoned with it.
    pub async fn kill_and_restart(self) -> Self {
        self.running.abort();
        Self::open_on(self.directory, self.node).await
    }

    pub async fn build(&self, body: Value) -> Build {
        let build = self.engine.start_build(&self.caller, &body).await.unwrap();
        self.ended(&build).await
    }

    pub async fn ended(&self, build: &Build) -> Build {
        let mut log = self.engine.follow_build(&self.caller, build.id.as_str(), 0, true).await.unwrap();
        while log.next().await.unwrap().is_some() {}
        self.engine.get_build(&self.caller, build.id.as_str(), 0).await.unwrap().build
    }

    pub async fn template(&self, name: &str) -> Build {
        let build = self.build(template(name, &["default"])).await;
        assert_eq!(build.status, BuildStatus::Ready, "{:?}", build.failure);
        build
    }

    pub async fn pool(&self, template: &str, min_ready: u32, max_ready: u32) -> PoolInfo {
        self.engine.create_warm_pool(&self.caller, pool_of(template, min_ready, max_ready)).await.unwrap()
    }

    /// A template of that name and a pool of it with so many ready.
    pub async fn ready_pool(&self, name: &str, ready: u32) -> PoolInfo {
        self.template(name).await;
        let pool = self.pool(name, ready, ready).await;
        self.pool_until(pool.pool.id.as_str(), |info| info.counts.ready == ready).await
    }

    /// Waits for a value, within bounds.
    pub async fn pool_until(&self, id: &str, is_so: impl Fn(&PoolInfo) -> bool) -> PoolInfo {
        let mut last = None;
        for _ in 0..500 {
            let info = self.engine.get_warm_pool(&self.caller, id).await.unwrap();
            if is_so(&info) {
                return info;
            }
            last = Some(info);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the pool never became so: {:#?}", last.map(|info| (info.pool, info.counts)));
    }

    pub async fn sandbox_until(&self, id: &str, is_so: impl Fn(&Sandbox) -> bool) -> Sandbox {
        let mut last = None;
        for _ in 0..500 {
            let sandbox = self.engine.get_sandbox(&self.caller, id).await.unwrap();
            if is_so(&sandbox) {
                return sandbox;
            }
            last = Some(sandbox);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the sandbox never became so: {last:#?}");
    }

    pub async fn check_out(&self, pool: &PoolInfo, mode: Mode, wait_ms: u64) -> Result<Sandbox, Error> {
        let template = pool.pool.template_ref.clone();
        self.engine.create_sandbox(&self.caller, from_pool(&template, pool.pool.id.as_str(), mode, wait_ms)).await
    }
}

pub fn template(name: &str, tags: &[&str]) -> Value {
    json!({"name": name, "tags": tags, "base_image": "busybox", "steps": []})
}

pub fn pool_of(template: &str, min_ready: u32, max_ready: u32) -> CreateWarmPool {
    CreateWarmPool {
        template_ref: template.to_owned(),
        name: format!("{}-small", template.replace([':', '/'], "-")),
        min_ready,
        max_ready,
        vcpus: 2,
        memory_mb: 1024,
        disk_mb: None,
        idle_timeout: None,
        stale_after: None,
        checkout_policy: None,
        track_tag_policy: false,
        track_tag: None,
        labels: BTreeMap::new(),
        metadata: serde_json::Map::new(),
    }
}

/// What a client sends that was told nothing but the template.
pub fn plain(template: &str) -> CreateSandbox {
    CreateSandbox {
        template: template.to_owned(),
        vcpus: 2,
        memory_mb: 512,
        disk_mb: None,
        envs: BTreeMap::new(),
        cwd: None,
        metadata: serde_json::Map::new(),
        timeout: Duration::from_secs(300),
        internet_access: true,
        warm_pool: None,
        idempotency_key: None,
    }
}

pub fn from_pool(template: &str, pool: &str, mode: Mode, wait_ms: u64) -> CreateSandbox {
    let choice = PoolChoice { id: Some(pool.to_owned()), mode: Some(mode), wait: Duration::from_millis(wait_ms) };
    CreateSandbox { warm_pool: Some(choice), ..plain(template) }
}
