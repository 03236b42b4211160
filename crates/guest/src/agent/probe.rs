//! One readiness attempt.

use super::process::{self, Listing};
use super::{Agent, tunnel};
use crate::protocol::{Exec, Failure, Probe, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long one attempt over the network may take. Loopback answers at once; an emulated guest that
/// is still starting may need seconds for its first answer.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

/// Bytes of an answer that are looked at: more than any status line.
const STATUS_LINE_MAX: u64 = 1024;

pub async fn run(agent: &Arc<Agent>, probe: Probe) -> Result<Response, Failure> {
    let (ready, detail) = match probe {
        Probe::Tcp { port } => within(tcp(port)).await,
        Probe::Http { port, path } => within(http(port, &path)).await,
        Probe::Command { command, envs, cwd, user, timeout_ms } => {
            let exec = Exec { command, shell: true, envs, cwd, user, timeout_ms, ..Exec::default() };
            command_succeeds(agent, &exec).await?
        }
    };
    Ok(Response::Probed { ready, detail })
}

async fn within(attempt: impl Future<Output = Result<(bool, String), String>>) -> (bool, String) {
    match tokio::time::timeout(ATTEMPT_MAX, attempt).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(detail)) => (false, detail),
        Err(_) => (false, format!("no answer within {} s", ATTEMPT_MAX.as_secs())),
    }
}

async fn tcp(port: u16) -> Result<(bool, String), String> {
    connect(port).await.map(|_| (true, format!("port {port} accepts connections")))
}

async fn http(port: u16, path: &str) -> Result<(bool, String), String> {
    if path.contains(|c: char| c.is_control() || c == ' ') {
        return Err("the path has a character that a path cannot have".into());
    }
    let mut stream = connect(port).await?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let request = format!(
        "GET {slash}{path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nuser-agent: nullspace\r\naccept: */*\r\nconnection: close\r\n\r\n"
    );
    let failed = |error: std::io::Error| format!("port {port} broke the connection: {error}");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    let mut limited = stream.take(STATUS_LINE_MAX);
    while !answer.contains(&b'\n') && limited.read_buf(&mut answer).await.map_err(failed)? > 0 {}
    match status(&answer) {
        Some(status) => Ok((status < 400, format!("the answer has status {status}"))),
        None => Err(format!("port {port} does not answer as HTTP does")),
    }
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok().filter(|status| (100..600).contains(status))
}

async fn connect(port: u16) -> Result<TcpStream, String> {
    tunnel::connect(port).await.map_err(|error| format!("cannot connect to port {port}: {error}"))
}

async fn command_succeeds(agent: &Arc<Agent>, exec: &Exec) -> Result<(bool, String), Failure> {
    let process = process::start(agent, exec, Listing::Unlisted)?;
    let exit = process::finish(&process).await;
    let detail = match exit.timed_out {
        true => format!("the command was ended after {} ms", exec.timeout_ms),
        false => format!("the command ended with code {}", exit.code),
    };
    Ok((exit.code == 0 && !exit.timed_out, detail))
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn only_a_status_line_has_a_status() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\nserver: x\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 503\n"), Some(503));
        for nonsense in [&b""[..], b"SSH-2.0-x\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 9999 x\r\n", b"\xff\xfe 200 x"] {
            assert_eq!(status(nonsense), None);
        }
    }
}
