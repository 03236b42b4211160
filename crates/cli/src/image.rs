//! `nullspace image`: base images in the server's store, from a registry, an archive or packages.

use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use clap::Subcommand;
use futures::TryStreamExt;
use nullspace_api::admin::{AddImage, Image, ImageEvent, ImageSource, ImageSourceKind};
use nullspace_api::{Client, Secret};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List images.
    List,
    /// Pull an image from its registry.
    Pull {
        name: String,
        #[arg(long, env = "NULLSPACE_REGISTRY_USERNAME", hide_env_values = true, requires = "registry_password")]
        registry_username: Option<String>,
        #[arg(long, env = "NULLSPACE_REGISTRY_PASSWORD", hide_env_values = true, requires = "registry_username")]
        registry_password: Option<String>,
    },
    /// Import an OCI layout or a `docker save` archive that is on the server's host.
    Import { name: String, path: PathBuf },
    /// Make an image from the distribution's packages, where no registry can be reached.
    Bootstrap {
        /// `busybox`, `debian:bookworm`, `python:3.11`, …
        recipe: String,
        /// The name to give it; by default the recipe's own.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove an image.
    Rm { name: String },
}

#[derive(Serialize)]
struct Removed<'a> {
    name: &'a str,
    deleted: bool,
}

pub async fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let (name, source) = match command {
        Command::List => {
            let images = client.list_images().await?;
            return output::list(&images.items, &["name", "size_bytes", "source", "created_at", "digest"], None, json);
        }
        Command::Rm { name } => {
            client.remove_image(&name).await?;
            let removed = Removed { name: &name, deleted: true };
            return if json { output::show(&removed) } else { output::line(format!("Deleted {name}")) };
        }
        Command::Pull { name, registry_username, registry_password } => {
            let source = ImageSource {
                username: registry_username,
                password: registry_password.map(Secret),
                ..source(ImageSourceKind::Registry)
            };
            (name, source)
        }
        Command::Import { name, path } => {
            // The server reads the path itself, from wherever it was started.
            let path = std::path::absolute(&path).map_err(|source| Failure::File {
                action: "find",
                path: path.clone(),
                source,
            })?;
            let path = Some(path.display().to_string());
            (name, ImageSource { path, ..source(ImageSourceKind::Archive) })
        }
        Command::Bootstrap { recipe, name } => {
            let name = name.unwrap_or_else(|| recipe.clone());
            (name, ImageSource { recipe: Some(recipe), ..source(ImageSourceKind::Bootstrap) })
        }
    };
    let image = add(client, AddImage { name, source }).await?;
    if json { output::show(&image) } else { output::line(format!("{}\t{}", image.name, image.digest)) }
}

fn source(kind: ImageSourceKind) -> ImageSource {
    ImageSource { kind, path: None, recipe: None, username: None, password: None }
}

async fn add(client: &Client, request: AddImage) -> Result<Image, Failure> {
    let mut progress = Progress::start(&format!("getting {}", request.name));
    let mut events = client.add_image(&request).await?;
    while let Some(event) = events.try_next().await? {
        match event {
            ImageEvent::Progress { message, done_bytes, total_bytes } => {
                progress.say(&message, done_bytes.zip(total_bytes));
            }
            ImageEvent::Done { image } => return Ok(image),
            ImageEvent::Error { error } => {
                return Err(Failure::Reported {
                    code: error.code.as_str().to_owned(),
                    message: error.error,
                    hint: error.suggested_action,
                    details: error.details.map(Into::into),
                });
            }
        }
    }
    Err(Failure::Reported {
        code: "invalid_response".to_owned(),
        message: format!("the server stopped before `{}` was there", request.name),
        hint: Some("the server's log says why".to_owned()),
        details: None,
    })
}
