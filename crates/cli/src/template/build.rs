//! `template build` and `template retry`: making a template.

use super::flags::Flags;
use super::log::{self, Format};
use super::request::secret_flags;
use super::watch;
use crate::failure::Failure;
use crate::output;
use clap::Args;
use futures::TryStreamExt;
use nullspace_api::Client;
use nullspace_api::build_request::RetryBuild;
use nullspace_api::builds::{Build as BuildInfo, LogKind};

#[derive(Debug, Args)]
pub struct Build {
    #[command(flatten)]
    flags: Flags,
    /// Start the build and print it, without waiting.
    #[arg(long)]
    background: bool,
    /// Show the request that would be sent, and send nothing.
    #[arg(long, conflicts_with = "background")]
    dry_run: bool,
    #[arg(long, default_value = "text")]
    log_format: Format,
}

impl Build {
    pub async fn run(self, client: &Client) -> Result<(), Failure> {
        if self.flags.name.is_none() {
            return Err(Failure::usage("--name", "a template needs a name"));
        }
        let prepared = self.flags.prepare()?;
        if self.dry_run {
            return output::show(&prepared.listed());
        }
        let request = prepared.uploaded(client).await?;
        if self.background {
            return output::show(&client.start_build(&request).await?);
        }
        let build = match follow(client, &request, self.log_format).await {
            Ok(build) => build,
            Err(failure) => {
                self.log_format.show_failure(&failure);
                return Err(watch::failed(failure));
            }
        };
        output::show(&build)
    }
}

async fn follow(
    client: &Client,
    request: &nullspace_api::build_request::BuildRequest,
    format: Format,
) -> Result<BuildInfo, Failure> {
    let mut entries = client.build_template(request).await?;
    let mut build_id = None;
    while let Some(entry) = entries.try_next().await.map_err(|error| lost(error, build_id.as_deref()))? {
        format.show(&entry);
        let id = build_id.insert(entry.build_id.clone());
        match entry.kind {
            LogKind::Error => return Err(log::failure(&entry.message, entry.error_detail.as_ref())),
            LogKind::Cancelled => return Err(log::failure(&format!("build {id} was cancelled"), None)),
            LogKind::End => return Ok(client.get_build(id, entry.offset).await?.build),
            LogKind::Start | LogKind::Message | LogKind::Cache | LogKind::Retry | LogKind::Warning => {}
        }
    }
    Err(log::failure("the build's log ended before the build", None))
}

/// The build is durable: what broke is only the line to it.
fn lost(error: nullspace_api::client::Error, build_id: Option<&str>) -> Failure {
    match build_id {
        None => error.into(),
        Some(id) => Failure::Reported {
            code: "transport_error".to_owned(),
            message: format!("the line to build {id} broke: {error}"),
            hint: Some(format!("the build goes on: `nullspace template wait {id}`")),
            details: None,
        },
    }
}

#[derive(Debug, Args)]
pub struct Retry {
    build_id: String,
    /// Tags of the new attempt; may be repeated.
    #[arg(long)]
    tag: Vec<String>,
    /// A secret, which is not kept from the first attempt; may be repeated.
    #[arg(long, value_name = "ID=VALUE")]
    build_secret: Vec<String>,
    /// A secret from an environment variable; may be repeated.
    #[arg(long, value_name = "ID[=ENV]")]
    build_secret_env: Vec<String>,
    /// A secret from a file; may be repeated.
    #[arg(long, value_name = "ID=PATH")]
    build_secret_file: Vec<String>,
}

impl Retry {
    pub async fn run(self, client: &Client) -> Result<(), Failure> {
        let secrets = secret_flags(&self.build_secret, &self.build_secret_env, &self.build_secret_file)?;
        let retry = RetryBuild {
            tags: (!self.tag.is_empty()).then_some(self.tag),
            build_secrets: (!secrets.is_empty()).then_some(secrets),
            ..RetryBuild::default()
        };
        output::show(&client.retry_build(&self.build_id, &retry).await?)
    }
}
