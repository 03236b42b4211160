//! `sandbox host` and `sandbox url`: where a port is reached from outside.

use crate::failure::Failure;
use crate::output;
use clap::{Args, ValueEnum};
use nullspace_api::preview::{PreviewReadiness, ReadinessKind, ReadinessRequest};
use nullspace_api::{Client, Timestamp};
use serde::Serialize;

#[derive(Serialize)]
struct Host {
    host: String,
}

pub async fn host(client: &Client, id: &str, port: u16, json: bool) -> Result<(), Failure> {
    let host = Host { host: client.sandbox_host(id, port).await?.host };
    if json { output::show(&host) } else { output::line(host.host) }
}

#[derive(Debug, Args)]
pub struct Url {
    id: String,
    port: u16,
    /// Print the WebSocket address.
    #[arg(long)]
    websocket: bool,
    /// Wait until the port answers.
    #[arg(long)]
    wait: bool,
    #[arg(long, default_value = "tcp")]
    readiness_kind: Kind,
    #[arg(long, value_name = "PATH")]
    readiness_path: Option<String>,
    #[arg(long, default_value_t = 30)]
    timeout_secs: u64,
    #[arg(long, default_value_t = 500)]
    interval_ms: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    Tcp,
    Http,
}

#[derive(Serialize)]
struct Address {
    host: String,
    url: String,
    websocket_url: String,
    access_token_expires_at: Option<Timestamp>,
    access_token_transport: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness: Option<PreviewReadiness>,
}

impl Url {
    pub async fn run(self, client: &Client, json: bool) -> Result<(), Failure> {
        let info = client.sandbox_host(&self.id, self.port).await?;
        let secure = if client.base_url().starts_with("https") { "s" } else { "" };
        let readiness = if self.wait { Some(self.wait_for_port(client).await?) } else { None };
        let address = Address {
            url: info.url.unwrap_or_else(|| format!("http{secure}://{}", info.host)),
            websocket_url: info.websocket_url.unwrap_or_else(|| format!("ws{secure}://{}", info.host)),
            host: info.host,
            access_token_expires_at: info.access_token_expires_at,
            access_token_transport: info.access_token_transport,
            readiness,
        };
        if json {
            return output::show(&address);
        }
        output::line(if self.websocket { &address.websocket_url } else { &address.url })
    }

    async fn wait_for_port(&self, client: &Client) -> Result<PreviewReadiness, Failure> {
        let request = ReadinessRequest {
            kind: Some(match self.readiness_kind {
                Kind::Tcp => ReadinessKind::Tcp,
                Kind::Http => ReadinessKind::Http,
            }),
            timeout_secs: Some(self.timeout_secs),
            interval_ms: Some(self.interval_ms),
            path: self.readiness_path.clone(),
        };
        let readiness = client.wait_for_port(&self.id, self.port, &request).await?;
        if readiness.ready {
            return Ok(readiness);
        }
        let waited_for = match readiness.error {
            Some(error) => format!("an answer on port {} ({error})", self.port),
            None => format!("an answer on port {}", self.port),
        };
        #[expect(clippy::cast_precision_loss, reason = "only shown, in whole seconds")]
        Err(Failure::Timeout { waited_for, seconds: self.timeout_secs as f64 })
    }
}
