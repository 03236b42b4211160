//! `warm-pool wait`: until enough machines are ready.

use crate::failure::Failure;
use crate::progress::Progress;
use clap::Args;
use nullspace_api::Client;
use nullspace_api::warm_pools::{PoolState, WarmPool};
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub struct Wait {
    id: String,
    /// How many; by default the pool's own number.
    #[arg(long)]
    min_ready: Option<u32>,
    /// Seconds to wait at most.
    #[arg(long, default_value_t = 300.0, value_parser = seconds)]
    timeout: f64,
    /// Seconds between looks.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    interval: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // A year is longer than anyone waits and still a Duration.
        Ok(seconds) if (0.0..=31_536_000.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds, 0 or more".to_owned()),
    }
}

impl Wait {
    pub async fn run(self, client: &Client) -> Result<WarmPool, Failure> {
        let until = Instant::now() + Duration::from_secs_f64(self.timeout);
        let mut progress = Progress::start(&format!("waiting for {}", self.id));
        loop {
            let pool = client.get_warm_pool(&self.id).await?;
            let target = self.min_ready.unwrap_or(pool.min_ready);
            if pool.status.ready >= target {
                return Ok(pool);
            }
            let interval = Duration::from_secs_f64(self.interval);
            if Instant::now() + interval > until {
                let waited_for = format!("`{}` having {target} ready ({})", self.id, condition(&pool));
                return Err(Failure::Timeout { waited_for, seconds: self.timeout });
            }
            progress.say(&format!("{} of {target} ready ({})", pool.status.ready, condition(&pool)), None);
            tokio::time::sleep(interval).await;
        }
    }
}

/// What stands in the way, in a few words.
fn condition(pool: &WarmPool) -> String {
    let mut words = vec![format!("{} warming", pool.status.warming)];
    if pool.state != PoolState::Enabled {
        words.push(super::view::word(&pool.state));
    }
    if let Some(reason) = &pool.degraded_reason {
        words.push(format!("degraded: {}", super::view::word(reason)));
    }
    words.join(", ")
}
