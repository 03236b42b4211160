//! `nullspace serve`: the flags of a server, checked, and its life from start to end.

mod assemble;
mod logging;
mod settings;

pub use assemble::Error;
pub use settings::default_data_dir;

use crate::failure::Failure;
use clap::{Args, ValueEnum};
use nullspace_node::network::Range;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Command {
    /// Where everything is kept; by default /var/lib/nullspace, or for ordinary users ~/.local/share/nullspace.
    #[arg(long, value_name = "DIR", default_value_os_t = settings::default_data_dir(), hide_default_value = true)]
    data_dir: PathBuf,
    /// Where clients connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where the ports of sandboxes are reached.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3001")]
    preview_listen: SocketAddr,
    /// Reach ports at `{port}-{sandbox}.DOMAIN` instead of a path; its wildcard must lead here.
    #[arg(long, value_name = "DOMAIN")]
    preview_domain: Option<String>,
    /// The host and port of preview addresses, where it is not the listener's own.
    #[arg(long, value_name = "HOST[:PORT]")]
    preview_authority: Option<String>,
    /// Preview addresses begin with https: something in front of this server ends TLS.
    #[arg(long)]
    preview_https: bool,
    /// The first tenant's name, which is its namespace.
    #[arg(long, value_name = "SLUG", default_value = "default")]
    namespace: String,
    /// What machines are made of.
    #[arg(long, default_value = "auto")]
    runtime: Runtime,
    /// End every machine and helper process with the server.
    #[arg(long)]
    stop_machines_on_exit: bool,
    /// Listen off loopback without TLS: keys and data then travel readable.
    #[arg(long)]
    allow_insecure_listen: bool,
    #[arg(long, default_value = "text")]
    log_format: logging::Format,
    /// What to log, as `info,nullspace_node=debug`.
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", hide_env_values = true, default_value = "info")]
    log: String,

    /// The kernel machines boot; by default the distribution's cloud kernel.
    #[arg(long, value_name = "FILE", requires = "kernel_modules", help_heading = "Machines")]
    kernel: Option<PathBuf>,
    /// Its modules, the directory `lib/modules/RELEASE`.
    #[arg(long, value_name = "DIR", requires = "kernel", help_heading = "Machines")]
    kernel_modules: Option<PathBuf>,
    /// The guest agent; by default the one in this program.
    #[arg(long, value_name = "FILE", help_heading = "Machines")]
    guest_agent: Option<PathBuf>,
    /// QEMU; by default `qemu-system-x86_64`, wherever it is.
    #[arg(long, value_name = "FILE", help_heading = "Machines")]
    qemu: Option<PathBuf>,
    /// Memory for machines, in MB; by default the host's, less a reserve.
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Machines")]
    node_memory: Option<u64>,
    /// A private range that machines may reach; may be repeated.
    #[arg(long, value_name = "CIDR", help_heading = "Machines")]
    allow_range: Vec<Range>,

    /// Ask this mirror first, as `docker.io=https://mirror.example`; may be repeated.
    #[arg(long, value_name = "HOST=URL", value_parser = crate::parse::pair, help_heading = "Images")]
    registry_mirror: Vec<(String, String)>,
    /// Speak to this registry without TLS; may be repeated.
    #[arg(long, value_name = "HOST:PORT", help_heading = "Images")]
    registry_http: Vec<String>,
    /// PEM certificates trusted for registries besides the host's own.
    #[arg(long, value_name = "FILE", help_heading = "Images")]
    registry_ca: Option<PathBuf>,
    /// Where `image bootstrap` gets Debian packages; by default the host's own source.
    #[arg(long, value_name = "URL", help_heading = "Images")]
    debian_mirror: Option<String>,
    /// PEM certificates that builds with internet access trust; by default those the host trusts.
    #[arg(long, value_name = "FILE", help_heading = "Builds")]
    build_ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Runtime {
    Auto,
    Microvm,
    Container,
}

pub fn run(command: Command, json: bool) -> Result<(), Failure> {
    command.check()?;
    logging::start(command.log_format, &command.log)?;
    settings::raise_descriptor_limit();
    assemble::run(command, json).map_err(Failure::from)
}

impl Command {
    fn check(&self) -> Result<(), Failure> {
        if self.runtime == Runtime::Container {
            return Err(Failure::usage("--runtime", "`container` is not there yet; `microvm` runs without KVM too"));
        }
        for (flag, address) in [("--listen", self.listen), ("--preview-listen", self.preview_listen)] {
            if !address.ip().is_loopback() && !self.allow_insecure_listen {
                let problem = format!(
                    "{address} is not on loopback, and there is no TLS here: keys would travel readable. Put a proxy \
                     that ends TLS in front, or pass --allow-insecure-listen"
                );
                return Err(Failure::usage(flag, problem));
            }
        }
        if self.listen == self.preview_listen && self.listen.port() != 0 {
            return Err(Failure::usage("--preview-listen", "is the same address as --listen"));
        }
        Ok(())
    }
}
