//! A typed client: one method for each endpoint, no retries, no hidden waiting.
//!
//! Redirects are not followed (the API never sends one), and a server on this host is never reached
//! through a proxy, whatever the environment says.

mod admin;
mod builds;
mod error;
mod events;
mod files;
mod preview;
mod sandboxes;
mod socket;
mod templates;
mod transport;
mod warm_pools;

pub use error::Error;
pub use events::EventStream;
pub use socket::ExecSocket;

use crate::Secret;
use std::time::Duration;

/// Longest silence of a server that is waited out: a foreground command sends white space every 10 s,
/// a cold create that first makes its warm profile under emulation is the longest real one.
const READ_TIMEOUT: Duration = Duration::from_secs(600);
/// A server that takes longer to accept a connection is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server and the key to speak to it. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Secret,
}

impl Client {
    /// `base_url` may have a path prefix; trailing slashes do not matter.
    pub fn new(base_url: &str, api_key: &str) -> Result<Self, Error> {
        // Another provider may be installed already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = base_url.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base)
            .map_err(|source| Error::BaseUrl { url: base.clone(), detail: source.to_string() })?;
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .tcp_nodelay(true);
        if is_this_host(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|source| Error::Setup { source })?;
        Ok(Self { http, base, key: Secret(api_key.to_owned()) })
    }

    /// The server's address, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base
    }
}

fn is_this_host(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_this_host_is_recognised() {
        for (url, expected) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("https://example.org", false),
        ] {
            assert_eq!(is_this_host(&reqwest::Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_client_never_prints_its_key() {
        let client = Client::new("http://localhost:3000/", "ns_live_secret").unwrap();
        assert_eq!(client.base_url(), "http://localhost:3000");
        assert!(!format!("{client:?}").contains("ns_live_secret"));
    }
}
