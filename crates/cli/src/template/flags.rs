//! The flags of `template build`, `validate` and `plan` (spec cli §3.1).

use super::Backend;
use super::ordered::Ordered;
use clap::{ArgGroup, Args};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("base").required(true).args([
        "from_base_image", "from_image", "from_ubuntu_image", "from_debian_image", "from_python_image",
        "from_node_image", "from_bun_image", "from_template", "from_dockerfile", "from_dockerfile_content",
    ]),
    group = ArgGroup::new("ready").args([
        "ready_timeout_ms", "ready_port", "ready_cmd", "ready_file", "ready_process", "ready_url",
    ]),
)]
pub struct Flags {
    /// Start from an image; without one, from a plain Ubuntu.
    #[arg(long, value_name = "IMAGE", num_args = 0..=1, default_missing_value = "ubuntu:22.04", help_heading = "Base")]
    pub from_base_image: Option<String>,
    /// Start from a registry image.
    #[arg(long, value_name = "IMAGE", help_heading = "Base")]
    pub from_image: Option<String>,
    #[arg(long, value_name = "VERSION", num_args = 0..=1, default_missing_value = "22.04", help_heading = "Base")]
    pub from_ubuntu_image: Option<String>,
    #[arg(long, value_name = "TAG", num_args = 0..=1, default_missing_value = "stable-slim", help_heading = "Base")]
    pub from_debian_image: Option<String>,
    #[arg(long, value_name = "VERSION", help_heading = "Base")]
    pub from_python_image: Option<String>,
    #[arg(long, value_name = "VERSION", help_heading = "Base")]
    pub from_node_image: Option<String>,
    #[arg(long, value_name = "VERSION", help_heading = "Base")]
    pub from_bun_image: Option<String>,
    /// Start from a template; a bare name means a builtin one.
    #[arg(long, value_name = "REF", help_heading = "Base")]
    pub from_template: Option<String>,
    /// Build a Dockerfile; its directory is the context.
    #[arg(long, value_name = "PATH", help_heading = "Base")]
    pub from_dockerfile: Option<PathBuf>,
    /// Build this text, or @FILE.
    #[arg(long, value_name = "TEXT", help_heading = "Base")]
    pub from_dockerfile_content: Option<String>,
    /// The variant of a Python or Node image, as `slim`.
    #[arg(long, value_name = "VARIANT", help_heading = "Base")]
    pub image_variant: Option<String>,
    /// Which file `--from-dockerfile-content` would be.
    #[arg(long, value_name = "PATH", help_heading = "Base")]
    pub dockerfile_path_hint: Option<PathBuf>,

    #[arg(
        long,
        env = "NULLSPACE_REGISTRY_USERNAME",
        hide_env_values = true,
        requires = "registry_password",
        help_heading = "Registry"
    )]
    pub registry_username: Option<String>,
    #[arg(
        long,
        env = "NULLSPACE_REGISTRY_PASSWORD",
        hide_env_values = true,
        requires = "registry_username",
        help_heading = "Registry"
    )]
    pub registry_password: Option<String>,
    /// JSON, or @FILE.
    #[arg(long, value_name = "JSON", help_heading = "Registry")]
    pub gcp_service_account_json: Option<String>,
    #[arg(long, requires_all = ["aws_secret_access_key", "aws_region"], help_heading = "Registry")]
    pub aws_access_key_id: Option<String>,
    #[arg(long, requires = "aws_access_key_id", help_heading = "Registry")]
    pub aws_secret_access_key: Option<String>,
    #[arg(long, requires = "aws_access_key_id", help_heading = "Registry")]
    pub aws_region: Option<String>,
    #[arg(long, requires = "aws_access_key_id", help_heading = "Registry")]
    pub aws_session_token: Option<String>,

    /// The directory that copies start from; its .dockerignore then counts.
    #[arg(long, value_name = "DIR")]
    pub file_context: Option<PathBuf>,

    /// The command that makes a machine ready, or @FILE.
    #[arg(long, value_name = "TEXT")]
    pub start_cmd: Option<String>,
    /// Ready after so many milliseconds.
    #[arg(long, value_name = "MS", help_heading = "Readiness")]
    pub ready_timeout_ms: Option<u64>,
    /// Ready when something listens on this port.
    #[arg(long, value_name = "PORT", help_heading = "Readiness")]
    pub ready_port: Option<u16>,
    /// Ready when this shell command exits with 0.
    #[arg(long, value_name = "COMMAND", help_heading = "Readiness")]
    pub ready_cmd: Option<String>,
    /// Ready when this file exists.
    #[arg(long, value_name = "PATH", help_heading = "Readiness")]
    pub ready_file: Option<String>,
    /// Ready when a process of this name runs.
    #[arg(long, value_name = "NAME", help_heading = "Readiness")]
    pub ready_process: Option<String>,
    /// Ready when http://localhost:PORT/PATH answers.
    #[arg(long, value_name = "URL", help_heading = "Readiness")]
    pub ready_url: Option<String>,
    #[arg(long, value_name = "SECONDS", conflicts_with = "ready_timeout_ms", help_heading = "Readiness")]
    pub ready_timeout_secs: Option<u64>,
    #[arg(long, value_name = "MS", conflicts_with = "ready_timeout_ms", help_heading = "Readiness")]
    pub ready_interval_ms: Option<u64>,
    #[arg(long, value_name = "SECONDS", conflicts_with = "ready_timeout_ms", help_heading = "Readiness")]
    pub ready_startup_grace_secs: Option<u64>,

    /// The template's name, or `namespace/name`.
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub cpu_count: u32,
    /// Memory of the build machine, in MB.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    pub memory_mb: u32,
    #[arg(long)]
    pub backend: Option<Backend>,
    /// Let the build reach the internet; this is the default.
    #[arg(long, overrides_with = "no_internet_access")]
    pub internet_access: bool,
    #[arg(long)]
    pub no_internet_access: bool,
    /// Use nothing from the cache.
    #[arg(long)]
    pub skip_cache: bool,
    /// A secret of a Dockerfile build; may be repeated.
    #[arg(long, value_name = "ID=VALUE")]
    pub build_secret: Vec<String>,
    /// A secret from an environment variable; may be repeated.
    #[arg(long, value_name = "ID[=ENV]")]
    pub build_secret_env: Vec<String>,
    /// A secret from a file; may be repeated.
    #[arg(long, value_name = "ID=PATH")]
    pub build_secret_file: Vec<String>,

    #[command(flatten)]
    pub ordered: Ordered,
}
