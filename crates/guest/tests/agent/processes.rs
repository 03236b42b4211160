//! Running programs.

use super::{TestAgent, is_running, open, text, until};
use nullspace_guest::client::{self, Event};
use nullspace_guest::protocol::{Exec, Exit, FailureCode, LOG_MAX, Process};
use std::time::{Duration, Instant};

fn sh(command: &str) -> Exec {
    Exec { command: command.into(), shell: true, ..Exec::default() }
}

const OK: Exit = Exit { code: 0, signal: None, timed_out: false };

#[tokio::test]
async fn a_foreground_program_gives_its_output_and_its_exit() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let finished = client::run(open(&link).await, sh("echo out; echo err >&2; exit 3"), 1 << 20).await.unwrap();
    assert_eq!(finished.exit, Exit { code: 3, signal: None, timed_out: false });
    assert_eq!((&finished.stdout[..], &finished.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert!(!finished.truncated);
}

#[tokio::test]
async fn programs_that_end_together_lose_no_output() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    // Among many ends, some are collected at the signal of another process.
    let runs = (0..100).map(|number| {
        let link = link.clone();
        async move {
            let command = sh(&format!("echo {number}; echo {number} >&2"));
            let finished = client::run(open(&link).await, command, 1 << 20).await.unwrap();
            assert_eq!(
                (finished.stdout.clone(), finished.stdout),
                (finished.stderr, format!("{number}\n").into_bytes())
            );
        }
    });
    futures::future::join_all(runs).await;
}

#[tokio::test]
async fn arguments_environment_and_directory_arrive_as_they_were_given() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let exec = Exec {
        command: "sh".into(),
        args: vec!["-c".into(), "echo \"$0|$1|$X|$HOME|$USER\"; pwd".into(), "a b".into(), "ü'".into()],
        envs: [("X".to_string(), "1 2\n3".to_string())].into(),
        cwd: Some(text(agent.directory.path()).into()),
        ..Exec::default()
    };
    let finished = client::run(open(&link).await, exec, 1 << 20).await.unwrap();
    let expected = format!("a b|ü'|1 2\n3|/root|root\n{}\n", text(agent.directory.path()));
    assert_eq!(String::from_utf8(finished.stdout).unwrap(), expected);
}

#[tokio::test]
async fn a_program_runs_as_the_user_that_was_named() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    for (user, expected) in [("4711:12", "4711 12 12\n"), ("nobody", "65534 65534 65534\n")] {
        let exec = Exec { user: Some(user.into()), ..sh("echo $(id -u) $(id -g) $(id -G)") };
        let finished = client::run(open(&link).await, exec, 100).await.unwrap();
        assert_eq!(String::from_utf8(finished.stdout).unwrap(), expected);
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_with_its_reason() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let plain = |command: &str| Exec { command: command.into(), ..Exec::default() };
    let cases = [
        (plain("no-such-program"), FailureCode::CannotExec, "no-such-program"),
        (plain("/etc/passwd"), FailureCode::CannotExec, "/etc/passwd"),
        (Exec { cwd: Some("/no/where".into()), ..plain("true") }, FailureCode::NotFound, "/no/where"),
        (Exec { cwd: Some("/etc/passwd".into()), ..plain("true") }, FailureCode::NotDirectory, "/etc/passwd"),
        (Exec { cwd: Some("etc".into()), ..plain("true") }, FailureCode::InvalidRequest, "`etc`"),
        (Exec { user: Some("ghost".into()), ..plain("true") }, FailureCode::InvalidRequest, "ghost"),
        (Exec { args: vec!["x".into()], ..sh("true") }, FailureCode::InvalidRequest, "arguments"),
        (plain(""), FailureCode::InvalidRequest, "empty"),
        (plain("a\0b"), FailureCode::InvalidRequest, "zero byte"),
    ];
    for (exec, code, named) in cases {
        let refused = client::run(open(&link).await, exec, 100).await.unwrap_err();
        let failure = refused.failure().unwrap();
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.message.contains(named), "{failure}");
    }
}

#[tokio::test]
async fn a_refusal_stays_short_however_long_the_request_was() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let exec = Exec { user: Some("x".repeat(500_000)), ..sh("true") };
    let refused = client::run(open(&link).await, exec, 100).await.unwrap_err();
    assert!(refused.failure().unwrap().message.len() <= 4096);
    // A whole environment may be large.
    let exec = Exec { envs: [("X".to_string(), "y".repeat(100_000))].into(), ..sh("echo ${#X}") };
    assert_eq!(client::run(open(&link).await, exec, 100).await.unwrap().stdout, b"100000\n");
}

#[tokio::test]
async fn a_timeout_ends_the_whole_group() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let exec = Exec { timeout_ms: 200, ..sh("sleep 600 & echo $!; wait") };
    let begun = Instant::now();
    let finished = client::run(open(&link).await, exec, 100).await.unwrap();
    assert_eq!(finished.exit, Exit { code: 137, signal: Some(9), timed_out: true });
    assert!(begun.elapsed() < Duration::from_secs(20));
    let sleeper: u32 = String::from_utf8(finished.stdout).unwrap().trim().parse().unwrap();
    until("the sleeper is gone", || !is_running(sleeper)).await;
}

#[tokio::test]
async fn a_foreground_program_ends_with_its_stream_and_a_background_one_does_not() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let foreground = client::exec(open(&link).await, sh("sleep 600")).await.unwrap();
    let background = client::exec(open(&link).await, Exec { background: true, ..sh("sleep 600") }).await.unwrap();
    let (front, back) = (foreground.pid, background.pid);
    drop((foreground, background));
    until("the foreground program is gone", || !is_running(front)).await;
    assert!(is_running(back));
    client::kill(open(&link).await, back, 15).await.unwrap();
    until("the background program is gone", || !is_running(back)).await;
}

#[tokio::test]
async fn a_foreground_program_that_ignores_its_input_still_ends_with_its_stream() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let mut session = client::exec(open(&link).await, Exec { stdin: true, ..sh("sleep 600") }).await.unwrap();
    session.stdin.write(&vec![0; 500_000]).await.unwrap();
    let pid = session.pid;
    drop(session);
    until("the program is gone", || !is_running(pid)).await;
}

#[tokio::test]
async fn input_reaches_the_program_and_its_end_too() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let mut session = client::exec(open(&link).await, Exec { stdin: true, ..sh("cat; echo done") }).await.unwrap();
    session.stdin.write(b"through the stream ").await.unwrap();
    client::stdin(open(&link).await, session.pid, b"".to_vec(), false).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < b"through the stream ".len() {
        let Event::Stdout(bytes) = session.events.next().await.unwrap() else { panic!("not output") };
        seen.extend(bytes);
    }
    client::stdin(open(&link).await, session.pid, b"and by request ".to_vec(), true).await.unwrap();
    loop {
        match session.events.next().await.unwrap() {
            Event::Stdout(bytes) => seen.extend(bytes),
            Event::Stderr(_) => panic!("not an error"),
            Event::Exit(exit) => break assert_eq!(exit, OK),
        }
    }
    assert_eq!(String::from_utf8(seen).unwrap(), "through the stream and by request done\n");
}

#[tokio::test]
async fn without_input_the_program_reads_its_end_at_once() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    assert_eq!(client::run(open(&link).await, sh("cat"), 10).await.unwrap().exit, OK);
    let pid = client::start(open(&link).await, sh("sleep 600")).await.unwrap();
    let refused = client::stdin(open(&link).await, pid, b"x".to_vec(), false).await.unwrap_err();
    assert_eq!(refused.failure().unwrap().code, FailureCode::InvalidRequest);
    client::kill(open(&link).await, pid, 9).await.unwrap();
}

#[tokio::test]
async fn a_daemon_left_behind_does_not_hide_that_its_parent_ended() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    // The daemon keeps the output open.
    let command = "(sleep 1; echo late; sleep 600) & echo $!; echo ready";
    let begun = Instant::now();
    let finished = client::run(open(&link).await, sh(command), 100).await.unwrap();
    assert_eq!(finished.exit, OK);
    assert!(begun.elapsed() < Duration::from_secs(15));
    let output = String::from_utf8(finished.stdout).unwrap();
    let (daemon, ready) = output.split_once('\n').unwrap();
    assert_eq!(ready, "ready\n");
    assert!(is_running(daemon.parse().unwrap()));
    // What it writes later is in the log, and it was not killed for writing.
    let mut all = Vec::new();
    while !all.ends_with(b"late\n") {
        all = collect(&mut client::logs(open(&link).await, finished.pid).await.unwrap()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_running(daemon.parse().unwrap()));
    client::kill(open(&link).await, finished.pid, 9).await.unwrap();
    until("the daemon is gone", || !is_running(daemon.parse().unwrap())).await;
}

async fn collect<S: client::Pipe>(logs: &mut client::Logs<S>) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(event) = logs.next().await.unwrap() {
        match event {
            Event::Stdout(bytes) | Event::Stderr(bytes) => all.extend(bytes),
            Event::Exit(_) => panic!("logs have no exit frame"),
        }
    }
    all
}

#[tokio::test]
async fn logs_are_cumulative_and_tell_the_exit_when_there_is_one() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let exec = Exec { stdin: true, ..sh("echo one; read x; echo two >&2") };
    let pid = client::start(open(&link).await, exec).await.unwrap();
    let mut first = Vec::new();
    while first.is_empty() {
        let mut logs = client::logs(open(&link).await, pid).await.unwrap();
        assert_eq!(logs.exit, None);
        first = collect(&mut logs).await;
    }
    assert_eq!(first, b"one\n");
    client::stdin(open(&link).await, pid, b"\n".to_vec(), true).await.unwrap();
    let mut watched = client::attach(open(&link).await, pid).await.unwrap();
    assert_eq!(watched.events.next().await.unwrap(), Event::Stdout("one\n".into()));
    assert_eq!(watched.events.next().await.unwrap(), Event::Stderr("two\n".into()));
    assert_eq!(watched.events.next().await.unwrap(), Event::Exit(OK));
    let mut logs = client::logs(open(&link).await, pid).await.unwrap();
    assert_eq!(logs.exit, Some(OK));
    assert_eq!(collect(&mut logs).await, b"one\ntwo\n");
    let processes = client::processes(open(&link).await).await.unwrap();
    assert_eq!(processes, [Process { pid, command: "echo one; read x; echo two >&2".into(), running: false }]);
}

#[tokio::test]
async fn a_flood_of_output_is_cut_with_a_marker_and_costs_bounded_memory() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let flood = sh("head -c 200000000 /dev/zero; echo end");
    let finished = client::run(open(&link).await, flood.clone(), usize::MAX).await.unwrap();
    assert_eq!(finished.exit, OK);
    assert!(finished.stdout.len() >= LOG_MAX && finished.stdout.len() < LOG_MAX + 1000);
    assert!(finished.stdout.ends_with(b"further output was dropped]\n"));
    for _ in 0..6 {
        client::run(open(&link).await, Exec { ..flood.clone() }, 0).await.unwrap();
    }
    assert!(agent.resident() < 160 << 20, "{} MiB", agent.resident() >> 20);
    // Nobody reads: the program is not held up by it.
    let pid = client::start(open(&link).await, flood).await.unwrap();
    until("the flood has passed", || !is_running(pid)).await;
}

#[tokio::test]
async fn a_process_that_is_not_known_is_not_found() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    // PID 1 exists, and is none of the agent's.
    let refusals = [
        client::kill(open(&link).await, 1, 9).await.unwrap_err(),
        client::attach(open(&link).await, 1).await.unwrap_err(),
        client::logs(open(&link).await, 1).await.unwrap_err(),
        client::stdin(open(&link).await, 1, vec![], true).await.unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.failure().unwrap().code, FailureCode::NotFound);
    }
}

#[tokio::test]
async fn fifty_programs_at_once_do_not_get_in_each_others_way() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let runs = (0..50).map(|number| {
        let link = link.clone();
        tokio::spawn(async move {
            let command = sh(&format!("echo {number}; head -c 100000 /dev/zero | tr '\\0' x; exit {number}"));
            let finished = client::run(open(&link).await, command, 1 << 20).await.unwrap();
            assert_eq!(finished.exit.code, number);
            assert_eq!(finished.stdout.len(), 100_000 + format!("{number}\n").len());
            assert!(finished.stdout.starts_with(format!("{number}\n").as_bytes()));
        })
    });
    for run in runs.collect::<Vec<_>>() {
        run.await.unwrap();
    }
    assert_eq!(client::processes(open(&link).await).await.unwrap().len(), 50);
}
