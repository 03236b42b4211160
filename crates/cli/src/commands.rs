//! The tree of commands. Every command accepts `--json`.

use crate::{admin, auth, doctor, image, sandbox, serve, template};
use clap::{Parser, Subcommand};

/// Sandboxes, templates and warm pools on your own machines.
#[derive(Debug, Parser)]
#[command(name = "nullspace", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Arguments {
    /// Print JSON, also for failures.
    #[arg(long, global = true)]
    pub json: bool,
    /// The form of the output; there is one.
    #[arg(long, global = true, hide = true, value_parser = ["v1"])]
    pub output_version: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build and manage templates, and keep warm pools of them.
    #[command(subcommand)]
    Template(template::Command),
    /// Start sandboxes, run commands in them, move files.
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    /// Get base images onto the server.
    #[command(subcommand)]
    Image(image::Command),
    /// Create and list tenants (the operator's key).
    #[command(subcommand)]
    Tenant(admin::TenantCommand),
    /// Create, list and revoke API keys (the operator's key).
    #[command(subcommand)]
    Key(admin::KeyCommand),
    /// Store a key for later commands.
    #[command(subcommand)]
    Auth(auth::Command),
    /// Say what this machine and this client can do, and how to get the rest.
    Doctor(doctor::Command),
    /// Run a server.
    Serve(Box<serve::Command>),
}
