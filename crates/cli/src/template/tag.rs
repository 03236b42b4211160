//! `template tag`: names for builds.

use crate::failure::Failure;
use crate::output;
use clap::Subcommand;
use nullspace_api::Client;
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put tags on the build a ref names.
    Assign {
        template_ref: String,
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// List tags and their builds.
    List { template_ref: String },
    /// Remove a tag.
    Remove { template_ref: String, tag: String },
}

#[derive(Serialize)]
struct Removed<'a> {
    template_ref: &'a str,
    tag: &'a str,
    deleted: bool,
}

pub async fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::Assign { template_ref, tags } => output::show(&client.assign_tags(&template_ref, tags).await?),
        Command::List { template_ref } => output::show(&client.list_tags(&template_ref).await?),
        Command::Remove { template_ref, tag } => {
            client.remove_tag(&template_ref, &tag).await?;
            let removed = Removed { template_ref: &template_ref, tag: &tag, deleted: true };
            if json { output::show(&removed) } else { output::line(format!("Removed {tag} from {template_ref}")) }
        }
    }
}
