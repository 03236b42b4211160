//! What the figures were taken on.

use std::fs;

/// One line: processor, cores, memory, kernel.
pub fn stamp() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(name))
            .map(|v| v.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    let cpu = read("/proc/cpuinfo");
    let model = field(&cpu, "model name").unwrap_or_else(|| "unknown processor".into());
    let cores = cpu.lines().filter(|l| l.starts_with("processor")).count();
    let memory_kb: u64 =
        field(&read("/proc/meminfo"), "MemTotal").and_then(|v| v.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    format!(
        "{model}, {cores} cores, {} GiB, Linux {}, {}",
        memory_kb / 1024 / 1024,
        read("/proc/sys/kernel/osrelease").trim(),
        jiff::Timestamp::now().strftime("%Y-%m-%d")
    )
}
