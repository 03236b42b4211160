//! Whether this client can speak to its server. Nothing here fails a machine that only wants to serve:
//! a server that is not running is a warning.

use super::Probe;
use crate::settings::Settings;
use nullspace_api::client::Error;
use nullspace_api::sandboxes::SandboxListQuery;
use nullspace_api::{Client, ErrorCode};
use serde_json::json;

pub async fn probes(settings: &Settings) -> Vec<Probe> {
    let version = env!("CARGO_PKG_VERSION");
    let url = settings.url();
    let key = settings.key();
    let mut probes = vec![Probe::ok("cli_version", format!("nullspace {version}"))];
    probes.push(match &key {
        Some(_) => Probe::ok("api_key", "a key is configured"),
        None => Probe::warn("api_key", "no key is configured", "run `nullspace auth login`, or set NULLSPACE_API_KEY"),
    });
    let client = match Client::new(&url, key.as_deref().unwrap_or("none")) {
        Ok(client) => client,
        Err(error) => {
            probes.push(Probe::fail(
                "api_reachability",
                error.to_string(),
                "set NULLSPACE_API_URL to the server's address",
            ));
            return probes;
        }
    };
    let reachable = client.health().await;
    probes.push(match &reachable {
        Ok(_) => Probe::ok("api_reachability", format!("a server answers at {url}")).with(json!({"url": url})),
        Err(_) => Probe::warn(
            "api_reachability",
            format!("no server answers at {url}"),
            "start one with `nullspace serve`, or set NULLSPACE_API_URL",
        )
        .with(json!({"url": url})),
    });
    if reachable.is_ok() && key.is_some() {
        let asked = client.list_sandboxes(&SandboxListQuery { limit: Some(1), ..SandboxListQuery::default() }).await;
        probes.extend(account(&asked.map(drop)));
    }
    probes
}

fn account(asked: &Result<(), Error>) -> [Probe; 2] {
    match asked {
        Ok(()) => [
            Probe::ok("key_validity", "the server accepts the key"),
            Probe::ok("account_state", "the account can list sandboxes"),
        ],
        Err(error) if error.code() == Some(ErrorCode::Unauthorized) => [
            Probe::fail(
                "key_validity",
                "the server does not accept the key",
                "run `nullspace auth login` with another key",
            ),
            Probe::warn("account_state", "unknown without a valid key", "fix the key first"),
        ],
        Err(error) => [
            Probe::ok("key_validity", "the server accepts the key"),
            Probe::fail("account_state", format!("the server answers: {error}"), "the server's log says why"),
        ],
    }
}
