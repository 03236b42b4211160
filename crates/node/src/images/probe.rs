//! What this host can do about images: which programs are here, and whether a registry answers. For `nullspace doctor`.

use super::Settings;
use super::bootstrap::as_root;
use super::name::ImageName;
use super::registry::{Endpoint, endpoints};
use crate::disk::tools::{BUSYBOX, DEBOOTSTRAP, DEBUGFS, MKE2FS, Tool};
use std::path::PathBuf;
use std::time::Duration;

/// A doctor who waits longer is asked no second time.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub tools: Vec<ToolFound>,
    /// Why `debootstrap` cannot be run here, if it cannot: it needs root or a user namespace.
    pub bootstrap_hindrance: Option<String>,
    /// Who would be asked for `busybox`, best first.
    pub registries: Vec<RegistryFound>,
}

/// A program, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolFound {
    pub program: &'static str,
    pub package: &'static str,
    pub needed_for: &'static str,
    /// Nothing works without it.
    pub is_required: bool,
    pub path: Option<PathBuf>,
}

/// A registry or mirror, and why it cannot be reached, if it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryFound {
    pub host: String,
    pub hindrance: Option<String>,
}

/// Looks. Takes a few seconds where a registry is silent.
pub async fn probe(settings: &Settings) -> Probe {
    let found = |tool: Tool, needed_for, is_required| {
        let Tool { program, package } = tool;
        ToolFound { program, package, needed_for, is_required, path: tool.find() }
    };
    let tools = vec![
        found(MKE2FS, "root disks", true),
        found(DEBUGFS, "root disks", true),
        found(BUSYBOX, "`nullspace image bootstrap busybox`", false),
        found(DEBOOTSTRAP, "`nullspace image bootstrap` of debian and python", false),
    ];
    // It runs a program that ends at once.
    let bootstrap_hindrance = tokio::task::spawn_blocking(|| as_root().err()).await.unwrap_or(None);
    let name = ImageName::parse("busybox").expect("a plain word is a name");
    let asked = endpoints(&name, settings).into_iter().map(|endpoint| ask(endpoint, settings));
    Probe { tools, bootstrap_hindrance, registries: futures::future::join_all(asked).await }
}

/// Any answer will do: most registries refuse this question without a log-in.
async fn ask(endpoint: Endpoint, settings: &Settings) -> RegistryFound {
    let answer = async {
        let client = super::registry::client(&endpoint, settings).map_err(|error| error.to_string())?;
        let url = format!("{}://{}/v2/", endpoint.scheme, endpoint.host);
        client.get(url).send().await.map(drop).map_err(|error| super::chain(&error))
    };
    let hindrance = match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(result) => result.err(),
        Err(_) => Some(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
    };
    RegistryFound { host: endpoint.host, hindrance }
}
