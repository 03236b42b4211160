//! What this machine can do about images: make root disks, bootstrap from packages, reach a registry.

use super::Probe;
use super::programs::install;
use nullspace_node::images::Settings;
use nullspace_node::images::probe::{self, RegistryFound, ToolFound};
use serde_json::json;

pub async fn probes() -> Vec<Probe> {
    let found = probe::probe(&Settings::default()).await;
    let (required, wanted): (Vec<_>, Vec<_>) = found.tools.iter().partition(|tool| tool.is_required);
    vec![disk_tools(&required), bootstrap(&wanted, found.bootstrap_hindrance), registry(&found.registries)]
}

fn disk_tools(tools: &[&ToolFound]) -> Probe {
    match missing(tools) {
        Some((programs, packages)) => {
            Probe::fail("disk_tools", format!("{programs} not found: root disks cannot be made"), install(&packages))
        }
        None => Probe::ok("disk_tools", "root disks can be made"),
    }
}

fn bootstrap(tools: &[&ToolFound], hindrance: Option<String>) -> Probe {
    if let Some((programs, packages)) = missing(tools) {
        let message = format!("{programs} not found: `image bootstrap` cannot make every image");
        return Probe::warn("bootstrap", message, install(&packages));
    }
    match hindrance {
        Some(hindrance) => Probe::warn("bootstrap", "`image bootstrap` can make busybox only", hindrance),
        None => Probe::ok("bootstrap", "images can be made from the distribution's packages"),
    }
}

fn registry(asked: &[RegistryFound]) -> Probe {
    if let Some(found) = asked.iter().find(|found| found.hindrance.is_none()) {
        return Probe::ok("registry", format!("{} answers", found.host)).with(json!({"host": found.host}));
    }
    let why: Vec<String> = asked
        .iter()
        .map(|found| format!("{} cannot be reached: {}", found.host, found.hindrance.as_deref().unwrap_or("no reason")))
        .collect();
    Probe::warn(
        "registry",
        why.join("; "),
        "where there is none, use `nullspace image bootstrap` or `image import`, or name a mirror with `nullspace \
         serve --registry-mirror`",
    )
}

/// The programs that are not here, and the packages they come in.
fn missing(tools: &[&ToolFound]) -> Option<(String, String)> {
    let absent: Vec<_> = tools.iter().filter(|tool| tool.path.is_none()).collect();
    if absent.is_empty() {
        return None;
    }
    let programs: Vec<&str> = absent.iter().map(|tool| tool.program).collect();
    let mut packages: Vec<&str> = absent.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    Some((programs.join(", "), packages.join(" ")))
}
