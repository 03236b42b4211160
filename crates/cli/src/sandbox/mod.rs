//! `nullspace sandbox`: machines to run things in.

mod create;
mod exec;
mod file;
mod host;
mod process;

use crate::failure::Failure;
use crate::{output, parse};
use clap::{Subcommand, ValueEnum};
use nullspace_api::sandboxes::{Sandbox, SandboxListQuery, SandboxStatus, SetTimeout, TimeoutAction};
use nullspace_api::{Client, Object};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a sandbox, from a warm pool where one is named.
    Create(Box<create::Create>),
    /// List live sandboxes.
    List {
        /// Only these fields, separated by commas.
        #[arg(long)]
        fields: Option<String>,
        /// Only sandboxes in this state; may be repeated.
        #[arg(long)]
        state: Vec<State>,
        #[arg(long, value_name = "REF")]
        template: Option<String>,
        /// Only sandboxes with this in their metadata; may be repeated.
        #[arg(long, value_name = "KEY=VALUE", value_parser = parse::pair)]
        metadata: Vec<(String, String)>,
        #[arg(long, value_name = "JSON", value_parser = parse::object)]
        metadata_json: Option<Object>,
        /// Sandboxes to ask for at a time.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: Option<u32>,
        /// Where to go on.
        #[arg(long)]
        next_token: Option<String>,
    },
    /// Show a sandbox.
    Get {
        id: String,
        /// Only these fields, separated by commas.
        #[arg(long)]
        fields: Option<String>,
    },
    /// Run a command and wait for it; the exit code is the command's.
    Exec(exec::Exec),
    /// Destroy a sandbox.
    Kill { id: String },
    /// Show what a sandbox uses.
    Metrics { id: String },
    /// Change how long a sandbox lives.
    #[command(subcommand)]
    Timeout(TimeoutCommand),
    /// Processes started through the API.
    #[command(subcommand)]
    Process(process::Command),
    /// Files in a sandbox.
    #[command(subcommand)]
    File(file::Command),
    /// Show the host a port is reached at.
    Host { id: String, port: u16 },
    /// Show the address a port is reached at.
    Url(host::Url),
}

#[derive(Debug, Subcommand)]
pub enum TimeoutCommand {
    /// Give a sandbox so many seconds from now.
    Set {
        id: String,
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
        seconds: u64,
        #[arg(long)]
        action: Option<Action>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum State {
    Creating,
    Running,
    Paused,
    Destroyed,
    Error,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Action {
    Destroy,
    Hibernate,
}

impl From<Action> for TimeoutAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Destroy => Self::Destroy,
            Action::Hibernate => Self::Hibernate,
        }
    }
}

const COLUMNS: [&str; 6] = ["id", "status", "template", "config.vcpus", "config.memory_mb", "timeout_at"];

pub async fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::Create(create) => output::show(&create.run(client).await?),
        Command::List { fields, state, template, metadata, metadata_json, limit, next_token } => {
            let states: Vec<String> =
                state.iter().filter_map(|state| Some(state.to_possible_value()?.get_name().to_owned())).collect();
            let metadata = parse::merged(metadata_json, &metadata);
            let query = SandboxListQuery {
                state: (!states.is_empty()).then(|| states.join(",")),
                template,
                metadata: metadata.map(|metadata| serde_json::Value::Object(metadata).to_string()),
                limit,
                next_token,
                fields: None,
            };
            output::list(&all_pages(client, query).await?, &COLUMNS, fields.as_deref(), json)
        }
        Command::Get { id, fields } => output::object(&client.get_sandbox(&id).await?, fields.as_deref()),
        Command::Exec(exec) => exec.run(client, json).await,
        Command::Kill { id } => {
            let mut killed = client.kill_sandbox(&id).await?;
            killed.status = SandboxStatus::Destroyed;
            if json { output::show(&killed) } else { output::line(format!("Destroyed {}", killed.id)) }
        }
        Command::Metrics { id } => {
            let columns = ["timestamp", "cpu_percent", "mem_used_bytes", "disk_used_bytes"];
            output::list(&client.sandbox_metrics(&id).await?, &columns, None, json)
        }
        Command::Timeout(TimeoutCommand::Set { id, seconds, action }) => {
            let timeout = SetTimeout { timeout_ms: seconds * 1000, timeout_action: action.map(Into::into) };
            client.set_timeout(&id, &timeout).await?;
            output::show(&client.get_sandbox(&id).await?)
        }
        Command::Process(command) => process::run(command, client, json).await,
        Command::File(command) => file::run(command, client, json).await,
        Command::Host { id, port } => host::host(client, &id, port, json).await,
        Command::Url(url) => url.run(client, json).await,
    }
}

/// Every page; the server bounds each, and how many sandboxes there can be.
async fn all_pages(client: &Client, mut query: SandboxListQuery) -> Result<Vec<Sandbox>, Failure> {
    let mut found = Vec::new();
    loop {
        let page = client.list_sandboxes(&query).await?;
        found.extend(page.items);
        match page.next_token {
            Some(token) if page.has_next => query.next_token = Some(token),
            _ => return Ok(found),
        }
    }
}
