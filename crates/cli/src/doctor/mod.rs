//! `nullspace doctor`: what this client and this machine can do, and how to get the rest.
//!
//! Each probe looks at one thing and finds out by trying where looking is not enough.

mod client;
mod host;
mod images;
mod programs;

use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::settings::Settings;
use clap::Args;
use nullspace_api::admin::NodeStatus;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Args)]
pub struct Command {
    /// Ask the server about its hosts instead.
    #[arg(long)]
    server: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// Works, with less than there could be.
    Warn,
    /// Something that depends on it does not work.
    Fail,
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
pub struct Probe {
    pub name: &'static str,
    pub status: Status,
    pub message: String,
    /// What to do, where there is something to do.
    pub fix: Option<String>,
    pub details: Value,
}

impl Probe {
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            message: message.into(),
            fix: None,
            details: Value::Object(Default::default()),
        }
    }

    pub fn warn(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Warn, fix: Some(fix.into()), ..Self::ok(name, message) }
    }

    pub fn fail(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Fail, fix: Some(fix.into()), ..Self::ok(name, message) }
    }

    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    probes: Vec<Probe>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next_steps: Vec<String>,
}

#[derive(Serialize)]
struct Nodes {
    nodes: Vec<NodeStatus>,
}

pub async fn run(command: Command, settings: &Settings, json: bool) -> Result<(), Failure> {
    if command.server {
        let nodes = settings.client()?.list_nodes().await?.items;
        if json {
            return output::show(&Nodes { nodes });
        }
        let columns = ["id", "driver", "accelerator", "memory_mb", "disk_free_mb", "warnings"];
        return output::list(&nodes, &columns, None, false);
    }
    let report = look(settings).await;
    if json {
        // A script reads the findings; finding something missing is no failure of looking.
        return output::show(&report);
    }
    for probe in &report.probes {
        let mark = match probe.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        output::line(format!("{mark}  {:<18} {}", probe.name, probe.message))?;
        if let Some(fix) = &probe.fix {
            output::line(format!("      {:<18} fix: {fix}", ""))?;
        }
    }
    if report.ok { Ok(()) } else { Err(Failure::Exit(1)) }
}

async fn look(settings: &Settings) -> Report {
    let mut progress = Progress::start("looking at the client");
    let mut probes = client::probes(settings).await;
    progress.say("looking at this machine", None);
    probes.extend(host::probes().await);
    probes.extend(programs::probes());
    progress.say("looking at what images can be had", None);
    probes.extend(images::probes().await);
    drop(progress);
    let failed = || probes.iter().filter(|probe| probe.status == Status::Fail);
    let next_steps = failed().filter_map(|probe| probe.fix.clone()).collect();
    Report { ok: failed().next().is_none(), next_steps, probes }
}
