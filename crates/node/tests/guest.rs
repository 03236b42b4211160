//! What the agent of a real machine withstands from the programs that run beside it.

mod host;

use host::{Host, artifact, busybox_disk, spec, system};
use nullspace_domain::InstanceId;
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_guest::client;
use nullspace_guest::protocol::Exec;
use std::time::{Duration, Instant};

fn sh(command: &str) -> Exec {
    Exec { command: command.into(), shell: true, ..Exec::default() }
}

/// How long the agent takes to answer.
async fn answer_time(host: &Host, id: &InstanceId) -> Duration {
    let begun = Instant::now();
    let stream = host.machines.guest(id).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), client::ping(stream)).await.expect("the agent answers").unwrap();
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_outlives_what_its_programs_do() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let disk = busybox_disk(directory.path());
    let host = Host::open(&directory.path().join("data"), system, false).await;
    let artifact = artifact("busybox", &disk, RuntimeConfig::default());
    let spec = spec("1", &artifact);
    host.machines.start(spec.clone(), artifact.clone()).await.unwrap();
    host.machines.resume(&spec.id).await.unwrap();
    let id = &spec.id;

    // Programs live where they can be bounded, and go first when memory is short; the agent goes last.
    let (_, place) = host.run(id, "cat /proc/self/cgroup /proc/self/oom_score_adj /proc/1/oom_score_adj").await;
    assert_eq!(place, "0::/user\n0\n-1000");
    let (_, everywhere) = host.run(id, "touch /dev/shm/a /tmp/b /run/c /workspace/d && echo ok").await;
    assert_eq!(everywhere, "ok");

    // Orphans are collected.
    host.run(id, "for i in 1 2 3 4 5; do (sleep 0.1 &); done; sleep 1").await;
    let (_, zombies) = host.run(id, "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l").await;
    assert_eq!(zombies, "0");

    // A fork bomb ends at the group's bound, and with it.
    let stream = host.machines.guest(id).await.unwrap();
    let bomb = "b() { b | b & }; b; while :; do b; sleep 0.01; done";
    let bomb = client::start(stream, sh(bomb)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    eprintln!("answer beside a fork bomb: {:?}", answer_time(&host, id).await);
    let stream = host.machines.guest(id).await.unwrap();
    client::kill(stream, bomb, 9).await.unwrap();
    host.run(id, "echo 1 > /sys/fs/cgroup/user/cgroup.kill").await;
    let (code, alive) = host.run(id, "echo alive").await;
    assert_eq!((code, alive.as_str()), (0, "alive"));

    // A program that takes all memory is ended, and nothing else is.
    let (code, _) = host.run(id, "x=a; while :; do x=$x$x; done").await;
    assert_eq!(code, 137);
    let (_, alive) = host.run(id, "echo alive").await;
    assert_eq!(alive, "alive");

    // A flood that nobody reads is held back and then ends with its host's interest.
    let stream = host.machines.guest(id).await.unwrap();
    let flood = client::exec(stream, sh("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    eprintln!("answer beside a flood: {:?}", answer_time(&host, id).await);
    let pid = flood.pid;
    drop(flood);
    let gone = format!("for i in $(seq 100); do test -e /proc/{pid} || break; sleep 0.05; done; test ! -e /proc/{pid}");
    assert_eq!(host.run(id, &gone).await.0, 0);

    host.machines.stop(id).await.unwrap();
    host.nothing_is_left().await;
}
