//! Probes and tunnels.

use super::{TestAgent, is_running, open, until};
use nullspace_guest::client;
use nullspace_guest::protocol::{FailureCode, Probe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn free_port() -> u16 {
    listener().await.1
}

#[tokio::test]
async fn a_port_is_ready_when_something_listens() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let (_listener, port) = listener().await;
    assert!(client::probe(open(&link).await, Probe::Tcp { port }).await.unwrap().ready);
    let refused = client::probe(open(&link).await, Probe::Tcp { port: free_port().await }).await.unwrap();
    assert!(!refused.ready && refused.detail.contains("refused"), "{}", refused.detail);
}

#[tokio::test]
async fn a_server_is_ready_when_its_answer_is_below_400() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    for (answer, ready) in [
        ("HTTP/1.1 200 OK\r\n\r\n", true),
        ("HTTP/1.1 302 Found\r\nlocation: /x\r\n\r\n", true),
        ("HTTP/1.1 404 Not Found\r\n\r\n", false),
        ("HTTP/1.0 503 No\r\n\r\n", false),
        ("220 mail server\r\n", false),
        ("", false),
    ] {
        let (listener, port) = listener().await;
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1000];
            let length = connection.read(&mut request).await.unwrap();
            connection.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let probed = client::probe(open(&link).await, Probe::Http { port, path: "/health?x=1".into() }).await.unwrap();
        assert_eq!(probed.ready, ready, "{answer:?}: {}", probed.detail);
        assert!(server.await.unwrap().starts_with("GET /health?x=1 HTTP/1.1\r\n"));
    }
}

#[tokio::test]
async fn a_command_is_ready_when_it_ends_well_and_is_not_listed() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let probe = |command: &str, timeout_ms| Probe::Command {
        command: command.into(),
        envs: [("WANT".to_string(), "yes".to_string())].into(),
        cwd: None,
        user: Some("nobody".into()),
        timeout_ms,
    };
    let ready = client::probe(open(&link).await, probe("test $WANT = yes && test $(id -un) = nobody", 9_000)).await;
    assert!(ready.unwrap().ready);
    let fails = client::probe(open(&link).await, probe("exit 7", 9_000)).await.unwrap();
    assert_eq!((fails.ready, fails.detail.as_str()), (false, "the command ended with code 7"));
    let hangs = client::probe(open(&link).await, probe("sleep 600", 100)).await.unwrap();
    assert_eq!((hangs.ready, hangs.detail.as_str()), (false, "the command was ended after 100 ms"));
    assert!(client::processes(open(&link).await).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_is_ended() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let note = agent.path("note");
    let command = format!("echo $$ > {}; exec sleep 600", note.display());
    let probe = Probe::Command { command, envs: Default::default(), cwd: None, user: None, timeout_ms: 0 };
    let stream = open(&link).await;
    let asking = tokio::spawn(async move { client::probe(stream, probe).await });
    let pid = || std::fs::read_to_string(&note).ok().and_then(|pid| pid.trim().parse::<u32>().ok());
    until("the command runs", || pid().is_some()).await;
    asking.abort();
    until("the command is gone", || !is_running(pid().unwrap())).await;
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways_and_each_end_by_itself() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let (listener, port) = listener().await;
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        connection.read_to_end(&mut all).await.unwrap();
        all.reverse();
        connection.write_all(&all).await.unwrap();
    });
    let mut tunnel = client::tunnel(open(&link).await, port).await.unwrap();
    let sent: Vec<u8> = (0..2_000_000u32).map(|n| (n % 241) as u8).collect();
    tunnel.write_all(&sent).await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut back = Vec::new();
    tunnel.read_to_end(&mut back).await.unwrap();
    back.reverse();
    assert!(back == sent);
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_that_listens_on_ipv6_only_is_reached() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return eprintln!("skipped: this machine has no IPv6");
    };
    let port = listener.local_addr().unwrap().port();
    assert!(client::probe(open(&link).await, Probe::Tcp { port }).await.unwrap().ready);
    client::tunnel(open(&link).await, port).await.unwrap();
}

#[tokio::test]
async fn dropping_a_tunnel_ends_its_connection() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let (listener, port) = listener().await;
    let tunnel = client::tunnel(open(&link).await, port).await.unwrap();
    let (mut connection, _) = listener.accept().await.unwrap();
    drop(tunnel);
    assert_eq!(connection.read(&mut [0; 10]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_port_where_nothing_listens_refuses() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let refused = client::tunnel(open(&link).await, free_port().await).await.unwrap_err();
    assert_eq!(refused.failure().unwrap().code, FailureCode::ConnectionRefused);
    assert!(client::tunnel(open(&link).await, 0).await.is_err());
}

#[tokio::test]
async fn two_hundred_tunnels_are_open_at_once() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = connection.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    let mut tunnels = Vec::new();
    for _ in 0..200 {
        tunnels.push(client::tunnel(open(&link).await, port).await.unwrap());
    }
    for (number, tunnel) in tunnels.iter_mut().enumerate() {
        let said = format!("{number:010}");
        tunnel.write_all(said.as_bytes()).await.unwrap();
        tunnel.flush().await.unwrap();
        let mut back = [0; 10];
        tunnel.read_exact(&mut back).await.unwrap();
        assert_eq!(back, said.as_bytes());
    }
}
