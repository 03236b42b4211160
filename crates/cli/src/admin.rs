//! `nullspace tenant` and `nullspace key`: what only the operator's key may do.

use crate::failure::Failure;
use crate::output;
use clap::Subcommand;
use nullspace_api::Client;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Create a tenant; the slug is its namespace.
    Create { slug: String },
    /// List tenants.
    List,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a key and show it, this once.
    Create {
        /// Whose key it is.
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
    /// List a tenant's keys, without their texts.
    List {
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
    /// Make a key invalid.
    Revoke {
        id: String,
        #[arg(long, value_name = "SLUG")]
        tenant: String,
    },
}

#[derive(Serialize)]
struct Revoked<'a> {
    id: &'a str,
    revoked: bool,
}

pub async fn run_tenant(command: TenantCommand, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        TenantCommand::Create { slug } => {
            let tenant = client.create_tenant(&slug).await?;
            if json { output::show(&tenant) } else { output::line(format!("{}\t{}", tenant.id, tenant.slug)) }
        }
        TenantCommand::List => {
            output::list(&client.list_tenants().await?.items, &["id", "slug", "created_at"], None, json)
        }
    }
}

pub async fn run_key(command: KeyCommand, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        KeyCommand::Create { tenant } => {
            let made = client.create_key(&tenant).await?;
            if json {
                return output::show(&made);
            }
            eprintln!("key {} of `{tenant}`; it is shown this once", made.id);
            output::line(made.key.expose())
        }
        KeyCommand::List { tenant } => {
            output::list(&client.list_keys(&tenant).await?.items, &["id", "created_at", "revoked_at"], None, json)
        }
        KeyCommand::Revoke { id, tenant } => {
            client.revoke_key(&tenant, &id).await?;
            if json { output::show(&Revoked { id: &id, revoked: true }) } else { output::line(format!("Revoked {id}")) }
        }
    }
}
