//! Freezing, renewing, and the agent as a whole. What belongs to a machine of its own (clock, name,
//! generator, disk) is tried in a machine, not here.

use super::{TestAgent, open};
use nullspace_guest::client;
use nullspace_guest::protocol::{Exec, FailureCode, Renew};
use std::fs;
use std::time::Duration;

fn renewal(generation: u64) -> Renew {
    Renew {
        entropy: vec![7; 64],
        unix_nanos: 1_700_000_000_000_000_000,
        machine_id: "0123456789abcdef0123456789abcdef".into(),
        hostname: "sb-1".into(),
        boot_token: format!("token-{generation}"),
        generation,
    }
}

#[tokio::test]
async fn an_agent_answers() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let pong = client::ping(open(&link).await).await.unwrap();
    assert_eq!(pong.agent_version, env!("CARGO_PKG_VERSION"));
    assert!(pong.uptime < Duration::from_secs(60));
    let metrics = client::metrics(open(&link).await).await.unwrap();
    assert!(metrics.cpu_count > 0 && (0.0..=100.0).contains(&metrics.cpu_percent));
    assert!(metrics.mem_used_bytes < metrics.mem_total_bytes && metrics.disk_used_bytes <= metrics.disk_total_bytes);
}

#[tokio::test]
async fn between_freezing_and_renewing_no_program_runs_and_none_starts() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let count = agent.path("count");
    let counter = format!("while :; do echo x >> {}; sleep 0.01; done", count.display());
    let exec = Exec { command: counter, shell: true, ..Exec::default() };
    let pid = client::start(open(&link).await, exec.clone()).await.unwrap();
    let length = || fs::metadata(&count).map_or(0, |found| found.len());
    super::until("it counts", || length() > 0).await;

    client::freeze(open(&link).await).await.unwrap();
    // A shell whose child was stopped before it became another program waits for it instead (D).
    let stopped = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.contains(") T ") || stat.contains(") D ")
    };
    super::until("it has stopped", || stopped(pid)).await;
    let refused = client::start(open(&link).await, exec).await.unwrap_err();
    assert_eq!(refused.failure().unwrap().code, FailureCode::Internal);
    let frozen_at = length();

    let first = client::renew(open(&link).await, renewal(1)).await.unwrap();
    let second = client::renew(open(&link).await, renewal(2)).await.unwrap();
    assert_eq!((first.proof.len(), first.boot_token.as_str()), (64, "token-1"));
    assert_ne!(first.proof, second.proof);
    assert_eq!(fs::read_to_string(agent.path("state/generation")).unwrap(), "2\n");
    assert_eq!(fs::read_to_string(agent.path("state/boot-token")).unwrap(), "token-2\n");
    super::until("it counts again", || length() > frozen_at + 4).await;
    client::kill(open(&link).await, pid, 9).await.unwrap();
}

#[tokio::test]
async fn a_renewal_that_makes_no_sense_is_refused() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let bad = [
        Renew { entropy: vec![1; 31], ..renewal(1) },
        Renew { machine_id: "0123".into(), ..renewal(1) },
        Renew { machine_id: "../../../../../../../../../etc/xx".into(), ..renewal(1) },
        Renew { hostname: "a\nb".into(), ..renewal(1) },
        Renew { boot_token: "a\nb".into(), ..renewal(1) },
    ];
    for renewal in bad {
        let refused = client::renew(open(&link).await, renewal).await.unwrap_err();
        assert_eq!(refused.failure().unwrap().code, FailureCode::InvalidRequest);
    }
}

#[tokio::test]
async fn on_somebody_elses_machine_its_disk_is_left_alone() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    for refused in [
        client::freeze_disk(open(&link).await).await,
        client::thaw_disk(open(&link).await).await,
        client::grow_root(open(&link).await).await,
    ] {
        assert_eq!(refused.unwrap_err().failure().unwrap().code, FailureCode::InvalidRequest);
    }
    client::set_time(open(&link).await, 0).await.unwrap();
    assert!(std::time::SystemTime::now() > std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
}

#[tokio::test]
async fn shutting_down_ends_the_agent_and_what_it_started() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let stubborn = Exec { command: "trap '' TERM; while :; do sleep 1; done".into(), shell: true, ..Exec::default() };
    let pid = client::start(open(&link).await, stubborn).await.unwrap();
    client::shutdown(open(&link).await).await.unwrap();
    super::until("the program is gone", || !super::is_running(pid)).await;
    tokio::time::timeout(Duration::from_secs(20), link.ended()).await.unwrap();
}

#[tokio::test]
async fn an_idle_agent_does_nothing_at_all() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    client::ping(open(&link).await).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = agent.switches();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(agent.switches(), before);
}
