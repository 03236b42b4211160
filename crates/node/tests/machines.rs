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

#[tokio::test(flavor = "multi_thread")]
async fn machines_outlive_their_server_and_half_made_ones_do_not() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let disk = busybox_disk(directory.path());
    let data = directory.path().join("data");
    let host = Host::open(&data, system.clone(), false).await;
    let artifact = artifact("busybox", &disk, RuntimeConfig::default());
    let (running, paused) = (spec("running", &artifact), spec("paused", &artifact));
    for spec in [&running, &paused] {
        host.machines.start(spec.clone(), artifact.clone()).await.unwrap();
    }
    host.machines.resume(&running.id).await.unwrap();
    host.run(&running.id, "echo kept > /tmp/file").await;
    // As a server leaves it that dies between starting a machine and making it ready.
    let half = host.journal.create("ins_half", Some(spec("half", &artifact)), None).unwrap();
    let uids: Vec<_> = host.journal.homes().unwrap().iter().map(|home| home.uid()).collect();
    assert!(half.directory().exists());
    drop(host);

    let host = Host::open(&data, system, false).await;
    assert!(!half.directory().exists());
    let states: Vec<_> = host.machines.reports().into_iter().map(|report| (report.id, report.state)).collect();
    assert_eq!(states, [(paused.id.clone(), MachineState::Paused), (running.id.clone(), MachineState::Running)]);
    assert_eq!(host.run(&running.id, "cat /tmp/file").await.1, "kept");
    host.machines.resume(&paused.id).await.unwrap();
    assert_eq!(host.run(&paused.id, "echo here").await.1, "here");
    if nix::unistd::geteuid().is_root() {
        assert_eq!(uids.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{uids:?}");
    }

    // One that dies by itself is reported, and still has to be stopped.
    let mut watch = host.machines.watch();
    let home = host.journal.homes().unwrap().into_iter().find(|home| home.entry().name == running.id.as_str());
    let process = home.unwrap().process().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process.pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    let report = tokio::time::timeout(Duration::from_secs(10), watch.recv()).await.unwrap().unwrap();
    assert_eq!((report.id, report.state), (running.id.clone(), MachineState::Dead));
    assert_eq!(host.machines.liveness(&running.id), Liveness::Dead);
    for id in [&running.id, &paused.id] {
        host.machines.stop(id).await.unwrap();
    }
    host.nothing_is_left().await;
    assert!(watch.try_recv().is_err(), "a machine that was stopped is not reported as having died");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_fails_says_why_and_leaves_nothing() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let disk = busybox_disk(directory.path());
    let host = Host::open(&directory.path().join("data"), system, false).await;
    let pace = Pace { timeout_secs: 60, interval_ms: 100, startup_grace_secs: 0 };
    let runtime = RuntimeConfig {
        start_cmd: Some("echo cannot find the thing >&2; exit 3".into()),
        readiness: Some(Readiness::Tcp { port: 80, pace }),
        ..RuntimeConfig::default()
    };
    let artifact = artifact("failing", &disk, runtime);
    let (first, second) = (spec("1", &artifact), spec("2", &artifact));
    let begun = Instant::now();
    // Both wait for the same attempt.
    let (one, two) = tokio::join!(
        host.machines.start(first.clone(), artifact.clone()),
        host.machines.start(second.clone(), artifact.clone())
    );
    for outcome in [one, two] {
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("ended at once with exit code 3"), "{text}");
        assert!(text.contains("cannot find the thing"), "{text}");
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "a start command that failed is not waited for");
    assert!(host.machines.reports().is_empty());
    host.nothing_is_left().await;
    assert_eq!(std::fs::read_dir(directory.path().join("data/profiles")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_can_be_stopped_while_it_is_being_made() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let disk = busybox_disk(directory.path());
    let host = Host::open(&directory.path().join("data"), system, false).await;
    let artifact = artifact("busybox", &disk, RuntimeConfig::default());
    let spec = spec("1", &artifact);
    let machines = host.machines.clone();
    let start = tokio::spawn({
        let spec = spec.clone();
        async move { machines.start(spec, artifact).await }
    });
    // Somewhere in the middle of its boot.
    while host::vmms_of(&host.directory).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    host.machines.stop(&spec.id).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(matches!(start.await.unwrap(), Err(nullspace_node::api::StartError::Stopped)));
    host.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vmm_has_no_rights_and_a_silent_guest_costs_only_time() {
    let Some(system) = system() else { return };
    let directory = tempfile::tempdir().unwrap();
    let disk = busybox_disk(directory.path());
    let host = Host::open(&directory.path().join("data"), system, false).await;
    let artifact = artifact("busybox", &disk, RuntimeConfig::default());
    let spec = spec("1", &artifact);
    host.machines.start(spec.clone(), artifact).await.unwrap();

    let process = host.journal.homes().unwrap()[0].process().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("CapEff:"), "0000000000000000");
    assert_eq!(field("CapPrm:"), "0000000000000000");
    if nix::unistd::geteuid().is_root() {
        assert!(!field("Uid:").split(' ').any(|uid| uid == "0"), "{}", field("Uid:"));
        assert!(!field("Gid:").split(' ').any(|gid| gid == "0"), "{}", field("Gid:"));
        assert_eq!(field("Groups:"), "");
    }
    // Nothing that more than one machine uses can be written through a descriptor of a VMM.
    for file in std::fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap().flatten() {
        let Ok(target) = std::fs::read_link(file.path()) else { continue };
        if target == disk || target.to_string_lossy().contains("profiles/") {
            let info = std::fs::read_to_string(file.path().to_string_lossy().replace("/fd/", "/fdinfo/")).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
            assert_eq!(flags.chars().last(), Some('0'), "{} is open for writing", target.display());
        }
    }

    // Paused, so its agent cannot answer.
    let begun = Instant::now();
    let stream = host.machines.guest(&spec.id).await;
    if let Ok(stream) = stream {
        let ping = tokio::time::timeout(Duration::from_secs(2), nullspace_guest::client::ping(stream)).await;
        assert!(ping.is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
    host.machines.stop(&spec.id).await.unwrap();
    host.nothing_is_left().await;
}
