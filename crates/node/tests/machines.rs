//! The life of real machines: booted, snapshotted, cloned, resumed, ended, and found again.

mod host;

use host::{Host, artifact, busybox_disk, spec, system};
use nullspace_domain::readiness::{Pace, Readiness};
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_node::api::{Liveness, MachineState};
use std::time::{Duration, Instant};

fn counting() -> RuntimeConfig {
    RuntimeConfig {
        start_cmd: Some("echo started > /tmp/started; while true; do sleep 1; done".into()),
        readiness: Some(Readiness::Command {
            command: "test -f /tmp/started".into(),
            pace: Pace { timeout_secs: 30, interval_ms: 100, startup_grace_secs: 0 },
        }),
        ..RuntimeConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_are_unique_paused_resumable_and_leave_nothing() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let disk = busybox_disk(directory.path());
    let host = Host::open(&directory.path().join("data"), system, false).await;
    let artifact = artifact("busybox", &disk, counting());
    let (first, second) = (spec("1", &artifact), spec("2", &artifact));

    let begun = Instant::now();
    host.machines.start(first.clone(), artifact.clone()).await.unwrap();
    eprintln!("profile and first clone: {:?}", begun.elapsed());
    let begun = Instant::now();
    host.machines.start(second.clone(), artifact.clone()).await.unwrap();
    eprintln!("second clone: {:?}", begun.elapsed());

    let states: Vec<_> = host.machines.reports().into_iter().map(|report| report.state).collect();
    assert_eq!(states, [MachineState::Paused, MachineState::Paused]);
    for id in [&first.id, &second.id] {
        assert_eq!(host.machines.liveness(id), Liveness::Alive);
        let begun = Instant::now();
        host.machines.resume(id).await.unwrap();
        eprintln!("resume: {:?}", begun.elapsed());
    }
    let mut answers = Vec::new();
    for id in [&first.id, &second.id] {
        let (code, started) = host.run(id, "cat /tmp/started").await;
        assert_eq!((code, started.as_str()), (0, "started"));
        let (_, random) = host.run(id, "head -c 16 /dev/urandom | hexdump -C; hostname; cat /etc/machine-id").await;
        answers.push(random);
        let (_, blocks) = host.run(id, "df -m / | tail -1 | awk '{print $2}'").await;
        assert!(blocks.parse::<u32>().unwrap() > 200, "the disk did not grow: {blocks}");
        let (_, seconds) = host.run(id, "date +%s").await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!(now.abs_diff(seconds.parse().unwrap()) < 5, "{seconds} is not {now}");
    }
    assert_ne!(answers[0], answers[1]);

    for id in [&first.id, &second.id] {
        let begun = Instant::now();
        host.machines.stop(id).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(host.machines.liveness(id), Liveness::Dead);
    }
    host.nothing_is_left().await;
}
