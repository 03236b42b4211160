//! `nullspace template warm-pool`: ready machines of a template.

mod create;
mod view;
mod wait;

use crate::failure::Failure;
use crate::{output, parse};
use clap::{Subcommand, ValueEnum};
use nullspace_api::Client;
use nullspace_api::warm_pools::{
    CheckoutMode, PoolHealth, PoolState, UpdateWarmPool, VersionPolicy, WarmPoolListQuery,
};
use serde::Serialize;
use view::{Deleted, PoolId, View};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a pool that keeps machines of a template ready.
    Create(create::Create),
    /// List pools.
    List {
        /// Only pools of this template.
        #[arg(long, value_name = "REF")]
        template: Option<String>,
        #[arg(long)]
        state: Option<State>,
        /// Only pools with this label; may be repeated.
        #[arg(long, value_name = "KEY=VALUE", value_parser = parse::pair)]
        label: Vec<(String, String)>,
        #[arg(long)]
        status: Option<Health>,
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// Show a pool.
    Get { id: String },
    /// Wait until machines are ready.
    Wait(wait::Wait),
    /// Change how many machines are kept ready.
    #[command(group = clap::ArgGroup::new("size").required(true).multiple(true))]
    Scale {
        id: String,
        #[arg(long, group = "size")]
        min_ready: Option<u32>,
        #[arg(long, group = "size")]
        max_ready: Option<u32>,
    },
    /// Let a pool fill and be used again.
    Enable { id: String },
    /// Stop filling and use; ready machines stay.
    Disable { id: String },
    /// Stop filling and give back ready machines.
    Drain { id: String },
    /// Ask for one pass of the controller now.
    Reconcile { id: String },
    /// Delete a pool; checked-out sandboxes live on.
    Delete { id: String },
    /// Say why a pool is as it is.
    Explain { id: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum State {
    Enabled,
    Disabled,
    Draining,
    Deleted,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Health {
    Ready,
    Warming,
    Degraded,
    Draining,
    Unavailable,
}

/// How a create uses a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Mode {
    Prefer,
    Require,
    Bypass,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Policy {
    PinnedBuild,
    TrackTag,
}

impl From<Mode> for CheckoutMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Prefer => Self::Prefer,
            Mode::Require => Self::Require,
            Mode::Bypass => Self::Bypass,
        }
    }
}

impl From<Policy> for VersionPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::PinnedBuild => Self::PinnedBuild,
            Policy::TrackTag => Self::TrackTag,
        }
    }
}

impl From<State> for PoolState {
    fn from(state: State) -> Self {
        match state {
            State::Enabled => Self::Enabled,
            State::Disabled => Self::Disabled,
            State::Draining => Self::Draining,
            State::Deleted => Self::Deleted,
        }
    }
}

impl From<Health> for PoolHealth {
    fn from(health: Health) -> Self {
        match health {
            Health::Ready => Self::Ready,
            Health::Warming => Self::Warming,
            Health::Degraded => Self::Degraded,
            Health::Draining => Self::Draining,
            Health::Unavailable => Self::Unavailable,
        }
    }
}

#[derive(Serialize)]
struct Items {
    items: Vec<View>,
}

pub async fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    let pool = match command {
        Command::Create(create) => client.create_warm_pool(&create.request()?).await?,
        Command::List { template, state, label, status, limit } => {
            let query = WarmPoolListQuery {
                template,
                state: state.map(Into::into),
                label: label.iter().map(|(key, value)| format!("{key}={value}")).collect(),
                status: status.map(Into::into),
                limit,
            };
            let items: Vec<View> = client.list_warm_pools(&query).await?.into_iter().map(View::of).collect();
            if json {
                return output::show(&Items { items });
            }
            return items.iter().try_for_each(View::line);
        }
        Command::Get { id } => client.get_warm_pool(&id).await?,
        Command::Wait(wait) => wait.run(client).await?,
        Command::Scale { id, min_ready, max_ready } => {
            let change = UpdateWarmPool { min_ready, max_ready, ..UpdateWarmPool::default() };
            client.update_warm_pool(&id, &change).await?
        }
        Command::Enable { id } => client.enable_warm_pool(&id).await?,
        Command::Disable { id } => client.disable_warm_pool(&id).await?,
        Command::Drain { id } => client.drain_warm_pool(&id).await?,
        Command::Reconcile { id } => client.reconcile_warm_pool(&id).await?,
        Command::Delete { id } => {
            client.delete_warm_pool(&id).await?;
            let deleted = Deleted { warm_pool: PoolId { id: id.clone() }, id, deleted: true };
            return if json { output::show(&deleted) } else { output::line(format!("Deleted {}", deleted.id)) };
        }
        Command::Explain { id } => return output::show(&client.explain_warm_pool(&id).await?),
    };
    let view = View::of(pool);
    if json { output::show(&view) } else { view.line() }
}
