//! Puts a server together and runs it until it is told to stop.
//!
//! ```text
//! lock the data directory ─▶ listen ─▶ host ─▶ store ─▶ engine ─▶ serve … signal ─▶ stop serving ─▶ end
//! ```
//!
//! Listening comes first, so that a port in use costs nothing; answering comes last, so that `GET /healthz`
//! says `ok` only when requests are served.

use super::Command;
use nix::fcntl::{Flock, FlockArg};
use nullspace_node::local::{self, LocalNode};
use nullspace_server::clock::{Clock, Entropy};
use nullspace_server::http::{self, App, preview};
use nullspace_server::store::{self, Store};
use nullspace_server::{Engine, engine};
use serde::Serialize;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Why a server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} `{path}`", path = path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another server is running on `{path}`: stop it, or choose another --data-dir", path = path.display())]
    InUse { path: PathBuf },
    #[error("cannot listen on {address} ({flag})")]
    Listen {
        flag: &'static str,
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot start the runtime")]
    Runtime {
        #[source]
        source: io::Error,
    },
    #[error("cannot use this host for machines: `nullspace doctor` says what is missing")]
    Node {
        #[source]
        source: local::OpenError,
    },
    #[error("cannot open the store")]
    Store {
        #[source]
        source: store::Error,
    },
    #[error("cannot open the preview keys")]
    Preview {
        #[source]
        source: preview::Error,
    },
    #[error("cannot open the engine")]
    Engine {
        #[source]
        source: engine::Error,
    },
    #[error("cannot draw random bytes: {0}")]
    Random(String),
}

/// What `--json` says when requests are served.
#[derive(Serialize)]
struct Ready {
    url: String,
    preview_url: String,
    data_dir: PathBuf,
    /// Where the first start kept the key it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_path: Option<PathBuf>,
}

pub fn run(command: Command, json: bool) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|source| Error::Runtime { source })?;
    runtime.block_on(serve(command, json))
}

async fn serve(command: Command, json: bool) -> Result<(), Error> {
    // A signal during the start must not get lost, and must not leave half a start behind.
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| Error::Runtime { source })?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| Error::Runtime { source })?;

    let data_dir = directory(&command.data_dir)?;
    let _lock = lock(&data_dir)?;
    let api = listen("--listen", command.listen).await?;
    let edge = listen("--preview-listen", command.preview_listen).await?;
    let (api_address, edge_address) = (address(&api, command.listen), address(&edge, command.preview_listen));

    let key_path = data_dir.join("api-key");
    let had_key = key_path.exists();
    let node = LocalNode::open(command.node(&data_dir)).await.map_err(|source| Error::Node { source })?;
    let node = Arc::new(node);
    let store = Store::open(&data_dir.join("nullspace.db")).map_err(|source| Error::Store { source })?;
    let entropy = Entropy::system().map_err(|error| Error::Random(error.to_string()))?;
    let engine = Engine::open(command.engine(&data_dir), store, node.clone(), Clock::system(), entropy);
    let engine = engine.await.map_err(|source| Error::Engine { source })?;
    let preview = preview::Preview::open(command.preview(&data_dir, edge_address));
    let app = App::new(engine.clone(), preview.map_err(|source| Error::Preview { source })?);

    let stop = CancellationToken::new();
    let serving = tokio::spawn(http::serve(api, http::router(app.clone()), stop.clone()));
    let previewing = tokio::spawn(http::serve(edge, preview::router(app), stop.clone()));
    let controller = tokio::spawn({
        let (engine, stop) = (engine.clone(), stop.clone());
        async move { engine.run(stop).await }
    });
    let ready = Ready {
        url: format!("http://{api_address}"),
        preview_url: format!("http://{edge_address}"),
        data_dir,
        api_key_path: (!had_key && key_path.exists()).then_some(key_path),
    };
    announce(&ready, json);

    tokio::select! {
        _ = terminate.recv() => info!("told to stop"),
        _ = interrupt.recv() => info!("interrupted"),
    }
    stop.cancel();
    // Each ends by itself once told; a panic in one of them has been logged by its own task.
    let _ = tokio::join!(serving, previewing, controller);
    engine.shut_down(command.stop_machines_on_exit).await;
    if command.stop_machines_on_exit {
        node.end_everything().await;
    }
    info!("stopped");
    Ok(())
}

fn directory(path: &Path) -> Result<PathBuf, Error> {
    let failed = |doing| move |source| Error::File { doing, path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed("make the data directory"))?;
    path.canonicalize().map_err(failed("find"))
}

/// Two servers on one directory would both own every machine. The lock ends with the process, however it ends.
fn lock(data_dir: &Path) -> Result<Flock<File>, Error> {
    let path = data_dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| Error::File { doing: "open", path, source })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| Error::InUse { path: data_dir.to_owned() })
}

async fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { flag, address, source })
}

/// With port 0 the system chose one.
fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}

/// One line when requests are served; after a first start also how to log in. The key itself is shown on
/// a terminal only, because other outputs are kept.
fn announce(ready: &Ready, json: bool) {
    info!(url = %ready.url, preview.url = %ready.preview_url, "ready at {}", ready.url);
    // A server without anybody reading its output serves all the same.
    if json {
        let _ = crate::output::json(ready);
        return;
    }
    let mut text = format!("nullspace is ready at {}\n", ready.url);
    if let Some(path) = &ready.api_key_path {
        text.push_str(&format!(
            "the first API key is in {path}; to log in: nullspace auth login --api-url {url} < {path}\n",
            path = path.display(),
            url = ready.url
        ));
        let key = std::fs::read_to_string(path).unwrap_or_default();
        if io::stdout().is_terminal() && !key.is_empty() {
            text.push_str(&format!("  {}\n", key.trim()));
        }
    }
    let _ = crate::output::write(text.as_bytes());
}
