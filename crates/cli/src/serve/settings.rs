//! From flags to what the engine, the host and the preview listener are told.

use super::Command;
use nullspace_node::{builder, images, kernel, local, network};
use nullspace_server::config::EngineConfig;
use nullspace_server::http::preview;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// For root a place of the system, for others one of their own.
pub fn default_data_dir() -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/var/lib/nullspace");
    }
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let share = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    share.unwrap_or_else(|| PathBuf::from(".")).join("nullspace")
}

/// Every machine takes a few descriptors; the usual soft limit of 1024 is there for `select`, which nobody uses here.
pub fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files; many machines at once may fail");
    }
}

impl Command {
    pub fn engine(&self, data_dir: &Path) -> EngineConfig {
        let given = std::env::var("NULLSPACE_BOOTSTRAP_API_KEY").ok();
        EngineConfig {
            namespace: self.namespace.clone(),
            bootstrap_key: given.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()),
            ..EngineConfig::new(data_dir)
        }
    }

    pub fn node(&self, data_dir: &Path) -> local::Settings {
        let kernel = self.kernel.clone().zip(self.kernel_modules.clone()).map(|(image, modules)| {
            let release = modules.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            kernel::KernelFiles { image, modules, release }
        });
        local::Settings {
            memory_mb: self.node_memory,
            qemu: self.qemu.clone(),
            system: kernel::Settings { kernel, agent: self.guest_agent.clone() },
            network: network::Settings { allowed: self.allow_range.clone() },
            images: images::Settings {
                mirrors: self.registry_mirror.iter().cloned().collect(),
                allow_http: self.registry_http.clone(),
                extra_ca: self.registry_ca.clone(),
                debian_mirror: self.debian_mirror.clone(),
                ..images::Settings::default()
            },
            builds: self.builds(),
            ..local::Settings::in_directory(data_dir.join("node"))
        }
    }

    fn builds(&self) -> builder::Settings {
        let mut settings = builder::Settings::default();
        if let Some(bundle) = &self.build_ca {
            settings.trust.ca_bundle = Some(bundle.clone());
        }
        settings
    }

    pub fn preview(&self, data_dir: &Path, listener: SocketAddr) -> preview::Settings {
        preview::Settings {
            authority: self.preview_authority.clone().unwrap_or_else(|| listener.to_string()),
            domain: self.preview_domain.clone(),
            tls: self.preview_https,
            directory: data_dir.join("preview"),
        }
    }
}
