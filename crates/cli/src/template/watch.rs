//! `template logs` and `template wait`: a build from outside.

use super::log::{self, Format};
use crate::failure::Failure;
use crate::output;
use clap::Args;
use futures::TryStreamExt;
use nullspace_api::builds::{BuildSnapshot, BuildStatus, LogEntry, LogQuery};
use nullspace_api::{Client, Timestamp};
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Logs {
    build_id: String,
    /// Only entries from this moment on, as 2026-01-01T00:00:00Z.
    #[arg(long)]
    since: Option<Timestamp>,
    /// Stay until the build ends.
    #[arg(long)]
    follow: bool,
    /// The first entry to show.
    #[arg(long, default_value_t = 0)]
    offset: u64,
}

impl Logs {
    /// Text comes as it comes; JSON is one array, so it comes at the end.
    pub async fn run(self, client: &Client, json: bool) -> Result<(), Failure> {
        let query = LogQuery { offset: Some(self.offset), cursor: None, follow: Some(self.follow) };
        let mut entries = client.build_logs(&self.build_id, &query).await?;
        let mut kept: Vec<LogEntry> = Vec::new();
        while let Some(entry) = entries.try_next().await? {
            if self.since.is_some_and(|since| entry.timestamp < since) {
                continue;
            }
            if json {
                kept.push(entry);
            } else if let Some(text) = log::text(&entry) {
                output::line(text)?;
            }
        }
        if json { output::show(&kept) } else { Ok(()) }
    }
}

#[derive(Debug, Args)]
pub struct Wait {
    build_id: String,
    /// The first log entry to show.
    #[arg(long, default_value_t = 0)]
    offset: u64,
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    poll_interval_ms: u64,
    #[arg(long, default_value = "text")]
    log_format: Format,
}

impl Wait {
    pub async fn run(self, client: &Client) -> Result<(), Failure> {
        let snapshot = follow(client, &self.build_id, self.offset, self.poll_interval_ms, self.log_format).await?;
        if snapshot.build.status == BuildStatus::Error {
            let failure = log::build_failure(&snapshot.build);
            self.log_format.show_failure(&failure);
            return Err(failed(failure));
        }
        output::show(&snapshot)
    }
}

/// A build that is watched ends with exit code 1 whatever went wrong with it (spec cli §2).
pub fn failed(failure: Failure) -> Failure {
    match failure {
        Failure::Reported { message, hint, details, .. } => {
            Failure::Reported { code: "build_error".to_owned(), message, hint, details }
        }
        other => other,
    }
}

/// Polls a build to its end and shows its log.
async fn follow(
    client: &Client,
    build_id: &str,
    mut offset: u64,
    interval_ms: u64,
    format: Format,
) -> Result<BuildSnapshot, Failure> {
    let mut entries = Vec::new();
    loop {
        let mut snapshot = client.get_build(build_id, offset).await?;
        snapshot.entries.iter().for_each(|entry| format.show(entry));
        offset = snapshot.next_offset;
        entries.append(&mut snapshot.entries);
        if snapshot.build.status.is_terminal() {
            snapshot.entries = entries;
            return Ok(snapshot);
        }
        tokio::time::sleep(Duration::from_millis(interval_ms)).await;
    }
}
