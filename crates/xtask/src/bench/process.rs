//! What the machines of one server cost the host, read from `/proc`.

use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// Processes that hold something of `data` open and run `program`: the server's machines.
pub fn holding(data: &Path, program: &str) -> Vec<u32> {
    let pids =
        fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid| runs(*pid, program) && holds(*pid, data)).collect()
}

fn runs(pid: u32, program: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim().starts_with(program))
}

fn holds(pid: u32, data: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|target: PathBuf| target.starts_with(data))
}

/// Memory that only this process has, in MB.
pub fn private_dirty_mb(pid: u32) -> Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kb: u64 = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Private_Dirty:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    Ok(kb as f64 / 1024.0)
}

/// CPU time used so far, in seconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux this runs on.
    Ok(ticks as f64 / 100.0)
}
