//! Commands over HTTP and over the socket, run by the real agent.

use super::setup::{sandbox, server};
use nullspace_api::commands::{Exec, ExecAnswer, ExecResult};
use nullspace_api::frames::{ClientFrame, ServerFrame};
use nullspace_testkit::HttpServer;
use std::time::Duration;

fn shell(command: &str) -> Exec {
    Exec { command: command.into(), shell: Some(true), ..Exec::default() }
}

async fn run(server: &HttpServer, id: &str, command: &Exec) -> ExecResult {
    match server.client.exec(id, command).await.unwrap() {
        ExecAnswer::Finished(result) => result,
        ExecAnswer::Started(started) => panic!("{started:?} instead of a result"),
    }
}

async fn start(server: &HttpServer, id: &str, command: &str) -> u32 {
    match server.client.exec(id, &Exec { background: Some(true), ..shell(command) }).await.unwrap() {
        ExecAnswer::Started(started) => started.pid,
        ExecAnswer::Finished(result) => result.pid.expect("a process id"),
    }
}

#[tokio::test]
async fn a_foreground_command_answers_with_all_it_wrote_and_how_it_ended() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let envs = Some([("NAME".to_owned(), "wörld".to_owned())].into());
    let command = Exec { envs, ..shell("echo hello $NAME; echo oops >&2; pwd; exit 3") };
    let result = run(&server, &sandbox.id, &command).await;
    assert_eq!((result.exit_code, result.stderr.as_str()), (3, "oops\n"));
    assert_eq!(result.stdout, format!("hello wörld\n{}\n", sandbox.cwd.clone().unwrap()));

    let args = Exec { command: "echo".into(), args: Some(vec!["a b".into(), "$HOME".into()]), ..Exec::default() };
    assert_eq!(run(&server, &sandbox.id, &args).await.stdout, "a b $HOME\n");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed_and_one_that_cannot_run_is_the_callers_error() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let slow = Exec { timeout_secs: Some(1), ..shell("sleep 20") };
    assert_eq!(server.client.exec(&sandbox.id, &slow).await.unwrap_err().code().unwrap().as_str(), "exec_timeout");
    let absent = Exec { command: "no-such-program".into(), ..Exec::default() };
    let error = server.client.exec(&sandbox.id, &absent).await.unwrap_err();
    assert_eq!(error.body().unwrap().details.as_ref().unwrap()["field"], "command");
}

#[tokio::test]
async fn a_background_process_is_listed_written_to_read_and_killed() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let client = &server.client;
    let pid = start(&server, &sandbox.id, "while read line; do echo got $line; done; echo end").await;
    client.write_stdin(&sandbox.id, pid, "one\n").await.unwrap();
    let wait = async {
        while client.process_logs(&sandbox.id, pid).await.unwrap().stdout != "got one\n" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the process reads its input");
    let listed = client.list_processes(&sandbox.id).await.unwrap();
    assert!(listed.iter().any(|process| process.pid == pid && process.running));
    client.kill_process(&sandbox.id, pid).await.unwrap();
    let wait = async {
        while client.process_logs(&sandbox.id, pid).await.unwrap().exit_code.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the process ends");
    let logs = client.process_logs(&sandbox.id, pid).await.unwrap();
    assert_eq!((logs.output.as_str(), logs.exit_code), ("got one\n", Some(137)));
    assert_eq!(
        client.process_logs(&sandbox.id, 999_999).await.unwrap_err().code().unwrap().as_str(),
        "process_not_found"
    );
}

#[tokio::test]
async fn the_socket_tells_output_as_it_comes_and_always_the_exit() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let mut socket = server.client.exec_socket(&sandbox.id).await.unwrap();
    let start = ClientFrame::ExecStart {
        id: Some("exec_1".into()),
        command: "read line; echo out $line; echo err >&2; exit 5".into(),
        args: Some(vec![]),
        cwd: None,
        envs: None,
        shell: Some(true),
        timeout_secs: Some(30),
        background: None,
    };
    socket.send(&start).await.unwrap();
    let ServerFrame::ExecStarted { id, pid } = socket.next().await.unwrap() else { panic!("no start") };
    assert_eq!(id.as_deref(), Some("exec_1"));
    socket.send(&ClientFrame::ExecStdin { id: None, pid, data: "x\n".into() }).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    let code = loop {
        match socket.next().await.unwrap() {
            ServerFrame::ExecStdout { data, .. } => out.push_str(&data),
            ServerFrame::ExecStderr { data, .. } => err.push_str(&data),
            ServerFrame::ExecExit { exit_code, .. } => break exit_code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((out.as_str(), err.as_str(), code), ("out x\n", "err\n", 5));

    // A second socket reads the whole of it again.
    let mut again = server.client.exec_socket(&sandbox.id).await.unwrap();
    again.send(&ClientFrame::ExecConnect { id: None, pid }).await.unwrap();
    let mut replayed = String::new();
    loop {
        match again.next().await.unwrap() {
            ServerFrame::ExecStdout { data, .. } => replayed.push_str(&data),
            ServerFrame::ExecExit { exit_code, .. } => break assert_eq!(exit_code, 5),
            _ => {}
        }
    }
    assert_eq!(replayed, "out x\n");
}

#[tokio::test]
async fn a_bad_frame_is_an_error_frame_and_an_unknown_sandbox_is_404_before_the_upgrade() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    let mut socket = server.client.exec_socket(&sandbox.id).await.unwrap();
    socket.send(&ClientFrame::ExecConnect { id: Some("c".into()), pid: 999_999 }).await.unwrap();
    let ServerFrame::Error { id, code, .. } = socket.next().await.unwrap() else { panic!("no error") };
    assert_eq!((id.as_deref(), code.unwrap().as_str()), (Some("c"), "process_not_found"));
    let error = server.client.exec_socket("sb_none").await.unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "sandbox_not_found");
}

#[tokio::test]
async fn a_killed_sandbox_runs_nothing() {
    let server = server().await;
    let sandbox = sandbox(&server).await;
    server.client.kill_sandbox(&sandbox.id).await.unwrap();
    let error = server.client.exec(&sandbox.id, &shell("true")).await.unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "sandbox_not_found");
    assert!(server.client.list_sandboxes(&Default::default()).await.unwrap().items.is_empty());
}
