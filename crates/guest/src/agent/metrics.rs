//! What the machine uses.

use super::{kernel, os};
use crate::protocol::{Failure, Metrics};
use std::fs;
use std::time::Duration;

/// Between the two looks at the processor's counters: ten ticks of most kernels.
const INTERVAL: Duration = Duration::from_millis(100);

pub async fn measure() -> Result<Metrics, Failure> {
    let before = Processor::read();
    tokio::time::sleep(INTERVAL).await;
    let after = Processor::read();
    let disk = nix::sys::statvfs::statvfs("/").map_err(|error| os(&error.into(), "look at the root file system"))?;
    let (network_rx_bytes, network_tx_bytes) = network(&fs::read_to_string("/proc/net/dev").unwrap_or_default());
    let mem_total_bytes = kernel::memory_total();
    Ok(Metrics {
        cpu_percent: after.percent_since(&before),
        cpu_count: after.count,
        mem_used_bytes: mem_total_bytes.saturating_sub(kernel::memory_field("MemAvailable")),
        mem_total_bytes,
        disk_used_bytes: (disk.blocks() - disk.blocks_free()) * disk.fragment_size(),
        disk_total_bytes: disk.blocks() * disk.fragment_size(),
        network_rx_bytes,
        network_tx_bytes,
    })
}

/// Ticks since boot.
#[derive(Debug, Default, PartialEq, Eq)]
struct Processor {
    busy: u64,
    all: u64,
    count: u32,
}

impl Processor {
    fn read() -> Processor {
        Processor::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    fn parse(text: &str) -> Processor {
        let mut lines = text.lines().take_while(|line| line.starts_with("cpu"));
        let total = lines.next().unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in these.
        let ticks: Vec<u64> = total.split_whitespace().skip(1).take(8).map(|tick| tick.parse().unwrap_or(0)).collect();
        let all = ticks.iter().sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Processor { busy: all - idle, all, count: lines.count() as u32 }
    }

    /// Of all processors together: 100 means that none was idle.
    fn percent_since(&self, before: &Processor) -> f64 {
        let all = self.all.saturating_sub(before.all);
        if all == 0 { 0.0 } else { self.busy.saturating_sub(before.busy) as f64 * 100.0 / all as f64 }
    }
}

/// Bytes received and sent by everything but loopback.
fn network(text: &str) -> (u64, u64) {
    let interfaces = text.lines().filter_map(|line| line.split_once(':'));
    let counters = interfaces.filter(|(name, _)| name.trim() != "lo").map(|(_, counters)| {
        let numbers: Vec<u64> = counters.split_whitespace().map(|number| number.parse().unwrap_or(0)).collect();
        (numbers.first().copied().unwrap_or(0), numbers.get(8).copied().unwrap_or(0))
    });
    counters.fold((0, 0), |(received, sent), (more_received, more_sent)| (received + more_received, sent + more_sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_as_busy_as_its_counters_say() {
        let before = Processor::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1\ncpu1 1\nintr 5\n");
        assert_eq!(before, Processor { busy: 200, all: 1000, count: 2 });
        let after = Processor::parse("cpu  150 0 125 725 100 0 0 0 0 0\ncpu0 1\ncpu1 1\nintr 5\n");
        assert_eq!(after.percent_since(&before), 75.0);
        assert_eq!(before.percent_since(&before), 0.0);
        assert_eq!(Processor::parse("nothing"), Processor::default());
    }

    #[test]
    fn loopback_is_not_network() {
        let text = "Inter-| Receive\n face |bytes\n    lo: 5 0 0 0 0 0 0 0 5 0\n  eth0: 7 1 0 0 0 0 0 0 9 1\n";
        assert_eq!(network(text), (7, 9));
    }
}
