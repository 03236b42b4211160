//! `nullspace template`: prepared environments and their builds.

mod build;
mod context;
mod flags;
mod log;
mod ordered;
mod request;
mod steps;
mod tag;
mod watch;

use crate::failure::Failure;
use crate::{output, warm_pool};
use clap::{Subcommand, ValueEnum};
use nullspace_api::Client;
use nullspace_api::builds::{BuildBackend, BuildListQuery, BuildStatus, SourceType};
use serde::Serialize;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a template and follow its log.
    Build(Box<build::Build>),
    /// Ask whether a build request would be accepted.
    Validate(Box<flags::Flags>),
    /// Show what a build request would do.
    Plan(Box<flags::Flags>),
    /// List templates.
    List {
        /// Only these fields, separated by commas.
        #[arg(long)]
        fields: Option<String>,
    },
    /// Show a template.
    Get {
        template_ref: String,
        /// Only these fields, separated by commas.
        #[arg(long)]
        fields: Option<String>,
    },
    /// Whether a ref names a template; the exit code is 0 either way.
    Exists { template_ref: String },
    /// List a template's builds, failed and untagged ones included.
    Builds {
        template_ref: String,
        #[arg(long)]
        status: Option<Status>,
        #[arg(long)]
        backend: Option<Backend>,
        #[arg(long)]
        source_type: Option<Source>,
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: Option<u32>,
        /// Where to go on.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show a build and its log.
    BuildStatus {
        build_id: String,
        /// The first log entry to show.
        #[arg(long, default_value_t = 0)]
        offset: u64,
    },
    /// Show a build's log.
    Logs(watch::Logs),
    /// Wait until a build has ended.
    Wait(watch::Wait),
    /// Cancel a build.
    Cancel {
        build_id: String,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Start a new attempt of a build.
    Retry(build::Retry),
    /// Move a tag to a build.
    Promote {
        build_id: String,
        #[arg(long)]
        tag: String,
    },
    /// Delete a template.
    Delete { template_ref: String },
    /// Tags of a template.
    #[command(subcommand)]
    Tag(tag::Command),
    /// Ready machines of a template.
    #[command(subcommand, name = "warm-pool")]
    WarmPool(warm_pool::Command),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Status {
    Waiting,
    Building,
    Ready,
    Error,
    Cancelled,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Backend {
    Native,
    Buildkit,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Source {
    Declarative,
    Dockerfile,
    OciImport,
    TemplateBase,
}

impl From<Status> for BuildStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Waiting => Self::Waiting,
            Status::Building => Self::Building,
            Status::Ready => Self::Ready,
            Status::Error => Self::Error,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Backend> for BuildBackend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Native => Self::Native,
            Backend::Buildkit => Self::Buildkit,
        }
    }
}

impl From<Source> for SourceType {
    fn from(source: Source) -> Self {
        match source {
            Source::Declarative => Self::Declarative,
            Source::Dockerfile => Self::Dockerfile,
            Source::OciImport => Self::OciImport,
            Source::TemplateBase => Self::TemplateBase,
        }
    }
}

#[derive(Serialize)]
struct Exists<'a> {
    template_ref: &'a str,
    exists: bool,
}

#[derive(Serialize)]
struct Deleted<'a> {
    template_ref: &'a str,
    deleted: bool,
}

pub async fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::Build(build) => build.run(client).await,
        Command::Validate(flags) => {
            let prepared = flags.prepare()?;
            output::show(&client.validate_build(&prepared.inline()?).await?)
        }
        Command::Plan(flags) => {
            let prepared = flags.prepare()?;
            output::show(&client.plan_build(&prepared.inline()?).await?)
        }
        Command::List { fields } => {
            let columns = ["canonical_ref", "tags", "visibility", "id"];
            output::list(&client.list_templates().await?, &columns, fields.as_deref(), json)
        }
        Command::Get { template_ref, fields } => {
            output::object(&client.get_template(&template_ref).await?, fields.as_deref())
        }
        Command::Exists { template_ref } => {
            let exists = match client.get_template(&template_ref).await {
                Ok(_) => true,
                Err(error) if error.code() == Some(nullspace_api::ErrorCode::TemplateNotFound) => false,
                Err(error) => return Err(error.into()),
            };
            output::show(&Exists { template_ref: &template_ref, exists })
        }
        Command::Builds { template_ref, status, backend, source_type, limit, cursor } => {
            let query = BuildListQuery {
                status: status.map(Into::into),
                backend: backend.map(Into::into),
                source_type: source_type.map(Into::into),
                limit,
                cursor,
            };
            output::show(&client.list_builds(&template_ref, &query).await?)
        }
        Command::BuildStatus { build_id, offset } => output::show(&client.get_build(&build_id, offset).await?),
        Command::Logs(logs) => logs.run(client, json).await,
        Command::Wait(wait) => wait.run(client).await,
        Command::Cancel { build_id, reason } => output::show(&client.cancel_build(&build_id, reason).await?),
        Command::Retry(retry) => retry.run(client).await,
        Command::Promote { build_id, tag } => output::show(&client.promote_build(&build_id, &tag).await?),
        Command::Delete { template_ref } => {
            client.delete_template(&template_ref).await?;
            let deleted = Deleted { template_ref: &template_ref, deleted: true };
            if json { output::show(&deleted) } else { output::line(format!("Deleted {template_ref}")) }
        }
        Command::Tag(command) => tag::run(command, client, json).await,
        Command::WarmPool(command) => warm_pool::run(command, client, json).await,
    }
}
