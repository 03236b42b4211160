//! What can be reached from here: a registry for images, and something that builds Dockerfiles.

use super::Probe;
use serde_json::json;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where images without a registry in their name come from.
const REGISTRY: &str = "https://registry-1.docker.io/v2/";
/// A registry that takes longer is of no use for a build either.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const BUILDER_SOCKETS: [&str; 3] = ["/run/buildkit/buildkitd.sock", "/run/docker.sock", "/var/run/docker.sock"];

pub async fn probes() -> Vec<Probe> {
    vec![registry().await, builder()]
}

async fn registry() -> Probe {
    let fix = "where there is none, use `nullspace image bootstrap` or `image import`, or name a mirror with \
               `nullspace serve --registry-mirror`";
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = match reqwest::Client::builder().timeout(ANSWER_WITHIN).build() {
        Ok(client) => client,
        Err(error) => return Probe::warn("registry", format!("not tried: {error}"), fix),
    };
    match client.get(REGISTRY).send().await {
        // It asks who we are, or lets us in: either way it is one.
        Ok(answer) if answer.status().is_success() || answer.status().as_u16() == 401 => {
            Probe::ok("registry", "docker.io answers").with(json!({"url": REGISTRY}))
        }
        Ok(answer) => Probe::warn("registry", format!("docker.io answers {}", answer.status()), fix),
        Err(error) => {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Probe::warn("registry", format!("docker.io cannot be reached: {why}"), fix)
        }
    }
}

fn builder() -> Probe {
    match BUILDER_SOCKETS.into_iter().find(|path| UnixStream::connect(path).is_ok()) {
        Some(path) => Probe::ok("buildkit", format!("{path} answers")).with(json!({"socket": path})),
        None => Probe::warn(
            "buildkit",
            "neither buildkitd nor a Docker engine answers: Dockerfiles cannot be built, other templates can",
            "install BuildKit and run `buildkitd`, or install Docker",
        ),
    }
}
