//! Reaching a sandbox's ports from outside: signed permissions, and a listener of its own that
//! proxies HTTP and WebSockets through the agent's tunnel.
//!
//! ```text
//! browser ─▶ {port}-{sandbox}.{domain}/…       ─▶ token in `edge_token` or our cookie
//!            or /p/{port}/{sandbox}/…             ─▶ grant active? ─▶ tunnel ─▶ 127.0.0.1:port
//! ```
//!
//! Believe: no request reaches a machine without a token that this server signed for exactly this
//! sandbox and port, whose grant is active; and the machine never sees the token.

mod address;
mod cookies;
mod edge_error;
mod grants;
mod headers;
mod key;
mod listener;
mod proxy;
mod token;

pub use address::{Place, is_refused};
pub use grants::{Grant, Grants};
pub use listener::router;

use key::Key;
use nullspace_domain::{PreviewGrantId, SandboxId, Timestamp};
use std::path::PathBuf;
use std::time::Duration;

/// How long a permission lasts when nobody says.
pub const LIFETIME_DEFAULT: Duration = Duration::from_secs(3600);
/// Bounds of a lifetime that was asked for (spec sandboxes §11).
pub const LIFETIME_MIN: Duration = Duration::from_secs(60);
pub const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// Where the preview listener can be reached, and where its keys are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host and port that clients are told, such as `127.0.0.1:3001`.
    pub authority: String,
    /// With a domain, `{port}-{sandbox}.{domain}` is the host; without, the path says it.
    pub domain: Option<String>,
    /// Whether clients come over TLS (which somebody in front of us ends).
    pub tls: bool,
    /// A directory that only we use.
    pub directory: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot keep preview keys and grants in `{path}`", path = path.display())]
    Files {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` is damaged: {detail}; remove it to start afresh (signed URLs end)", path = path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("cannot draw random bytes: {0}")]
    Random(getrandom::Error),
}

/// Signs permissions and remembers them.
pub struct Preview {
    settings: Settings,
    key: Key,
    grants: Grants,
}

/// A permission with the URLs that carry it.
pub struct Signed {
    pub grant: Grant,
    pub url: String,
    pub websocket_url: String,
    /// Where the port is, without the permission.
    pub host: String,
}

impl Preview {
    /// Reads the key and the grants, or makes a key.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        std::fs::create_dir_all(&settings.directory)
            .map_err(|source| Error::Files { path: settings.directory.clone(), source })?;
        let key = Key::open(&settings.directory.join("preview-key"))?;
        let grants = Grants::open(&settings.directory.join("preview-grants.json"))?;
        Ok(Self { settings, key, grants })
    }

    /// A new permission for one port of one sandbox.
    pub fn sign(
        &self,
        id: PreviewGrantId,
        sandbox: &SandboxId,
        port: u16,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Signed, Error> {
        let lifetime = lifetime.clamp(LIFETIME_MIN, LIFETIME_MAX);
        let expires_at = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        let grant = Grant { id, sandbox: sandbox.clone(), port, issued_at: now, expires_at, revoked_at: None };
        self.grants.insert(grant.clone(), now)?;
        Ok(self.with_urls(grant))
    }

    /// The permission for this port that still lasts a while, else a new one: asking for a port's
    /// address again and again makes no heap of them.
    pub fn sign_or_reuse(
        &self,
        id: PreviewGrantId,
        sandbox: &SandboxId,
        port: u16,
        now: Timestamp,
    ) -> Result<Signed, Error> {
        let enough = now.saturating_add(LIFETIME_DEFAULT / 2).unwrap_or(Timestamp::MAX);
        match self.grants.lasting(sandbox, port, enough) {
            Some(grant) => Ok(self.with_urls(grant)),
            None => self.sign(id, sandbox, port, LIFETIME_DEFAULT, now),
        }
    }

    /// The sandbox's permissions, newest first.
    pub fn list(&self, sandbox: &SandboxId, port: Option<u16>) -> Vec<Grant> {
        self.grants.of(sandbox, port)
    }

    /// Ends a permission at once.
    pub fn revoke(&self, sandbox: &SandboxId, id: &str, now: Timestamp) -> Result<Option<Grant>, Error> {
        self.grants.revoke(sandbox, id, now)
    }

    fn with_urls(&self, grant: Grant) -> Signed {
        let token = self.key.mint(&grant);
        let host = address::host(&self.settings, &grant.sandbox, grant.port);
        let (http, ws) = if self.settings.tls { ("https", "wss") } else { ("http", "ws") };
        let tail = format!("{host}/?{}={token}", token::QUERY);
        Signed { grant, url: format!("{http}://{tail}"), websocket_url: format!("{ws}://{tail}"), host }
    }
}
