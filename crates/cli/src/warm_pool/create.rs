//! `warm-pool create`.

use super::{Mode, Policy};
use crate::failure::Failure;
use crate::parse;
use clap::Args;
use nullspace_api::Object;
use nullspace_api::warm_pools::{AskedResources, CreateWarmPool};

#[derive(Debug, Args)]
pub struct Create {
    /// The template: a name, `name:tag`, `namespace/name:tag` or an id.
    template_ref: String,
    #[arg(long)]
    name: String,
    /// Machines to keep ready.
    #[arg(long)]
    min_ready: u32,
    /// Machines that may be ready or warming at once.
    #[arg(long)]
    max_ready: u32,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    vcpus: u32,
    /// Memory of each machine, in MB.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    memory: u32,
    /// Disk of each machine, in MB.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    disk: Option<u32>,
    /// What a create does that names the pool and no mode.
    #[arg(long)]
    checkout_policy: Option<Mode>,
    /// Seconds without demand after which capacity above `--min-ready` may go.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: Option<u64>,
    /// Seconds after which a ready machine is replaced.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    stale_after: Option<u64>,
    /// Stay with one build, or follow a tag.
    #[arg(long)]
    version_policy: Option<Policy>,
    /// The tag to follow.
    #[arg(long, value_name = "TAG")]
    track_tag: Option<String>,
    /// May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::pair)]
    label: Vec<(String, String)>,
    #[arg(long, value_name = "JSON", value_parser = parse::object)]
    metadata_json: Option<Object>,
    /// May be repeated; wins over `--metadata-json`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::pair)]
    metadata: Vec<(String, String)>,
}

impl Create {
    pub fn request(self) -> Result<CreateWarmPool, Failure> {
        if self.min_ready > self.max_ready {
            return Err(Failure::usage("--min-ready", format!("is more than --max-ready {}", self.max_ready)));
        }
        Ok(CreateWarmPool {
            template_ref: Some(self.template_ref),
            name: Some(self.name),
            min_ready: Some(self.min_ready),
            max_ready: Some(self.max_ready),
            resources: Some(AskedResources {
                vcpus: Some(self.vcpus),
                memory_mb: Some(self.memory),
                disk_mb: self.disk,
            }),
            idle_timeout_seconds: self.idle_timeout,
            stale_after_seconds: self.stale_after,
            checkout_policy: self.checkout_policy.map(Into::into),
            version_policy: self.version_policy.map(Into::into),
            track_tag: self.track_tag,
            labels: parse::texts(&self.label),
            metadata: parse::merged(self.metadata_json, &self.metadata),
            ..CreateWarmPool::default()
        })
    }
}
