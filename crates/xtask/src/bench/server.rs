//! A server to measure, and one keep-alive client for everything asked of it.

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const KEY: &str = "ns_live_bench_0123456789abcdef0123456789abcdef";

pub struct Server {
    process: Child,
    url: String,
    client: Client,
    data: tempfile::TempDir,
}

impl Server {
    pub async fn start(binary: &Path) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = tempfile::tempdir()?;
        let (api, preview) = (free_port()?, free_port()?);
        let log = std::fs::File::create(data.path().join("server.log"))?;
        let process = Command::new(binary)
            .args(["serve", "--stop-machines-on-exit", "--data-dir"])
            .arg(data.path().join("data"))
            .args(["--listen", &format!("127.0.0.1:{api}"), "--preview-listen", &format!("127.0.0.1:{preview}")])
            .env("NULLSPACE_BOOTSTRAP_API_KEY", KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start `{}`", binary.display()))?;
        let server = Self {
            process,
            url: format!("http://127.0.0.1:{api}"),
            client: Client::builder().no_proxy().build()?,
            data,
        };
        for _ in 0..600 {
            if server.request(Method::GET, "/healthz", None).await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("no answer from the server: {}", std::fs::read_to_string(server.data.path().join("server.log"))?)
    }

    /// Ends the server and, with it, its machines.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.process.id().context("the server ended by itself")?;
        let status = Command::new("kill").arg(pid.to_string()).status().await?;
        ensure!(status.success(), "cannot signal the server");
        tokio::time::timeout(Duration::from_secs(30), self.process.wait())
            .await
            .context("the server did not stop")??;
        Ok(())
    }

    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        if response.status().is_success() {
            return Ok(response);
        }
        bail!("{path}: {} {}", response.status(), response.text().await?)
    }

    /// A request whose answer is JSON, or nothing.
    pub async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let bytes = self.request(method, path, body).await?.bytes().await?;
        if bytes.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&bytes)?) }
    }

    /// A request whose answer is a stream of events: the last one.
    pub async fn last_event(&self, path: &str, body: &Value) -> Result<Value> {
        let text = self.request(Method::POST, path, Some(body)).await?.text().await?;
        let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().context("no event")?;
        Ok(serde_json::from_str(last)?)
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
