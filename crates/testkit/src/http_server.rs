//! A whole server on free ports of the loopback, in a directory that goes away with it.

use anyhow::Context;
use nullspace_api::Client;
use nullspace_node::api::Node;
use nullspace_server::clock::{Clock, Entropy};
use nullspace_server::config::EngineConfig;
use nullspace_server::http::preview::{self, Preview};
use nullspace_server::http::{self, App};
use nullspace_server::{Engine, store::Store};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The operator's key of every test server.
pub const KEY: &str = "ns_live_test";

/// A server that ends when it is dropped.
pub struct HttpServer {
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// Speaks with the operator's key.
    pub client: Client,
    pub engine: Engine,
    pub directory: TempDir,
    stop: CancellationToken,
}

impl HttpServer {
    /// Starts a server in front of a host.
    pub async fn start(node: Arc<dyn Node>) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("a directory for the server")?;
        let config = EngineConfig { bootstrap_key: Some(KEY.into()), ..EngineConfig::new(directory.path()) };
        let store = Store::open(&directory.path().join("test.db"))?;
        let engine = Engine::open(config, store, node, Clock::system(), Entropy::from_seed(1)).await?;
        let api = TcpListener::bind("127.0.0.1:0").await?;
        let edge = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", api.local_addr()?);
        let preview = Preview::open(preview::Settings {
            authority: edge.local_addr()?.to_string(),
            domain: None,
            tls: false,
            directory: directory.path().to_owned(),
        })?;
        let app = App::new(engine.clone(), preview);
        let stop = CancellationToken::new();
        tokio::spawn(http::serve(api, http::router(app.clone()), stop.clone()));
        tokio::spawn(http::serve(edge, preview::router(app), stop.clone()));
        let controller = engine.clone();
        let controller_stop = stop.clone();
        tokio::spawn(async move { controller.run(controller_stop).await });
        let client = Client::new(&url, KEY)?;
        Ok(Self { url, client, engine, directory, stop })
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
