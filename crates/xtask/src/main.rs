//! Development tasks that are more than a line of shell.

mod bench;

use clap::Parser;

#[derive(Parser)]
#[command(name = "xtask", about = "Development tasks")]
enum Task {
    /// Measure a running system: raw samples, percentiles, and ratios taken within one run.
    Bench(bench::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Bench(options) => bench::run(options).await,
    }
}
