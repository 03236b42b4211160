//! The benchmark: one server, one run, every figure beside its target.
//!
//! Machines that run this are often shared and noisy, so targets that matter are ratios between two
//! things measured in the same run. Raw samples are written next to the table.

mod hardware;
mod process;
mod report;
mod scenario;
mod server;
mod stats;

use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct Options {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/nullspace")]
    binary: PathBuf,
    /// Ready members of the pool that is measured.
    #[arg(long, default_value_t = 16)]
    members: u32,
    /// Rounds of taking every member and refilling.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
    /// Where raw samples and the table go.
    #[arg(long, default_value = "build/bench")]
    out: PathBuf,
}

pub async fn run(options: Options) -> Result<()> {
    let mut report = report::Report::new(hardware::stamp());
    let server = server::Server::start(&options.binary).await.context("cannot start the server to measure")?;
    let measured = scenario::run(&server, &options, &mut report).await;
    server.stop().await?;
    measured?;
    report.write(&options.out)
}
