//! The end of a machine: its processes, its file systems, its power.

use super::{Agent, Place, renew};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// For the answer to reach the host.
const ANSWER: Duration = Duration::from_millis(50);
/// For processes to end by themselves. The whole stop has five seconds.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks at whether they have.
const LOOK: Duration = Duration::from_millis(20);

/// Ends everything. Does not return on a machine.
pub async fn run(agent: &Arc<Agent>) {
    tokio::time::sleep(ANSWER).await;
    // What is frozen cannot end.
    let _ = renew::thaw(agent);
    end_processes(agent).await;
    if agent.place == Place::Shared {
        std::process::exit(0);
    }
    power_off();
}

/// Leaves clean disks and no power.
pub fn power_off() -> ! {
    unmount_all();
    // If the machine cannot switch itself off, starting anew also ends it: its host does not let it.
    let _ = reboot(RebootMode::RB_POWER_OFF);
    let _ = reboot(RebootMode::RB_AUTOBOOT);
    std::process::exit(1)
}

async fn end_processes(agent: &Agent) {
    signal_everyone(agent, libc::SIGTERM);
    let all_ended = async {
        while anyone_left(agent) {
            tokio::time::sleep(LOOK).await;
        }
    };
    let in_time = tokio::time::timeout(GRACE, all_ended).await.is_ok();
    if !in_time {
        if let Some(group) = &agent.cgroup {
            let _ = group.kill();
        }
        signal_everyone(agent, libc::SIGKILL);
        tokio::time::sleep(2 * LOOK).await;
    }
}

fn signal_everyone(agent: &Agent, signal: i32) {
    match agent.place {
        // SAFETY: takes numbers only. As PID 1 this is everyone but the kernel and ourselves.
        Place::Machine => drop(unsafe { libc::kill(-1, signal) }),
        Place::Shared => {
            for process in agent.table.lock().expect("no panic under this lock").all() {
                process.signal(signal);
            }
        }
    }
}

fn anyone_left(agent: &Agent) -> bool {
    match &agent.cgroup {
        Some(group) => fs::read_to_string(group.procs()).is_ok_and(|ids| !ids.trim().is_empty()),
        None => agent.table.lock().expect("no panic under this lock").all().any(|process| process.exit().is_none()),
    }
}

fn unmount_all() {
    nix::unistd::sync();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let points: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    // Later ones may be inside earlier ones. What is busy stays; only the disk matters.
    for point in points.into_iter().rev().filter(|point| *point != "/" && *point != "/proc") {
        let _ = umount2(point, MntFlags::empty());
    }
    let nothing: Option<&str> = None;
    let _ = mount(nothing, "/", nothing, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, nothing);
    nix::unistd::sync();
}
