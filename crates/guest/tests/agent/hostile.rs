//! Noise, broken connections and lies, from both sides.

use super::{TestAgent, nonce, open, soon};
use nullspace_guest::client;
use nullspace_guest::frame::{self, FrameReader};
use nullspace_guest::link::{Error, Hello, Link, serve};
use nullspace_guest::protocol::{Exec, FrameKind, Response, VERSION};
use proptest::prelude::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

#[tokio::test]
async fn noise_before_a_handshake_is_dropped() {
    let agent = TestAgent::start().await;
    let mut connection = agent.connection().await;
    connection.write_all(&vec![0xf1; 1_000_000]).await.unwrap();
    connection.write_all(&Hello { version: VERSION, nonce: [1; 16] }.encode()[..50]).await.unwrap();
    let link = Link::connect(connection, nonce(), soon()).await.unwrap();
    client::ping(open(&link).await).await.unwrap();
}

#[tokio::test]
async fn a_new_host_takes_over_in_the_middle_of_an_old_ones_bytes() {
    // One pipe for all hosts, as a virtio-serial port is: nobody sees a connection end.
    let agent = TestAgent::start().await;
    let mut pipe = Relay::new(agent.connection().await);
    for round in 0..20 {
        let link = Link::connect(pipe.attach(), nonce(), soon()).await.unwrap();
        client::ping(open(&link).await).await.unwrap();
        // Left in the middle: a process that floods, an upload, a request that was not sent whole.
        let flood =
            Exec { command: "while :; do echo xxxxxxxxxxxxxxxxxxxxx; done".into(), shell: true, ..Exec::default() };
        let mut session = client::exec(open(&link).await, flood).await.unwrap();
        session.events.next().await.unwrap();
        let upload = open(&link).await;
        let endless = tokio::spawn(async move {
            client::write(upload, "/dev/shm/nullspace-never", None, None, tokio::io::repeat(round)).await
        });
        tokio::task::yield_now().await;
        pipe.cut().await;
        endless.abort();
    }
    let link = Link::connect(pipe.attach(), nonce(), soon()).await.unwrap();
    client::ping(open(&link).await).await.unwrap();
    super::until("every flood has ended", || !std::path::Path::new("/dev/shm/nullspace-never").exists()).await;
    let deadline = soon();
    loop {
        let processes = client::processes(open(&link).await).await.unwrap();
        if processes.iter().all(|process| !process.running) {
            break;
        }
        assert!(Instant::now() < deadline, "{processes:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A pipe that outlives those who use it.
struct Relay {
    connection: Option<tokio::net::UnixStream>,
    user: Option<tokio::task::JoinHandle<tokio::net::UnixStream>>,
    stop: tokio_util::sync::CancellationToken,
}

impl Relay {
    fn new(connection: tokio::net::UnixStream) -> Relay {
        Relay { connection: Some(connection), user: None, stop: Default::default() }
    }

    fn attach(&mut self) -> DuplexStream {
        let (near, mut far) = tokio::io::duplex(10_000);
        let mut connection = self.connection.take().expect("the one before was cut");
        self.stop = Default::default();
        let stop = self.stop.clone();
        self.user = Some(tokio::spawn(async move {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut far, &mut connection) => {}
                () = stop.cancelled() => {}
            }
            connection
        }));
        near
    }

    /// Takes the pipe away wherever it is.
    async fn cut(&mut self) {
        self.stop.cancel();
        self.connection = Some(self.user.take().unwrap().await.unwrap());
    }
}

#[tokio::test]
async fn a_file_full_of_handshakes_goes_through_unharmed() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let content = Hello { version: VERSION, nonce: [3; 16] }.encode().repeat(5_000);
    let path = agent.path("file");
    client::write(open(&link).await, super::text(&path), None, None, &content[..]).await.unwrap();
    assert!(std::fs::read(&path).unwrap() == content);
    client::ping(open(&link).await).await.unwrap();
}

#[tokio::test]
async fn noise_in_the_middle_ends_the_session_and_the_next_handshake_starts_another() {
    let agent = TestAgent::start().await;
    let mut connection = agent.connection().await;
    let hello = Hello { version: VERSION, nonce: [9; 16] };
    connection.write_all(&hello.encode()).await.unwrap();
    let mut echo = vec![0; hello.echo().len()];
    connection.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, hello.echo());
    connection.write_all(&[0xaa; 100_000]).await.unwrap();
    let link = Link::connect(connection, nonce(), soon()).await.unwrap();
    client::ping(open(&link).await).await.unwrap();
}

#[tokio::test]
async fn a_host_of_another_version_is_told_ours() {
    let agent = TestAgent::start().await;
    let mut connection = agent.connection().await;
    let hello = Hello { version: 99, nonce: [9; 16] };
    connection.write_all(&hello.encode()).await.unwrap();
    let mut echo = vec![0; hello.echo().len()];
    connection.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo[echo.len() - 4..], VERSION.to_be_bytes());
}

#[tokio::test]
async fn a_first_frame_that_is_no_request_is_refused() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    for (kind, payload) in [
        (FrameKind::Data, &b"x"[..]),
        (FrameKind::Control, b""),
        (FrameKind::Control, b"{\"op\":\"explode\"}"),
        (FrameKind::Control, b"{\"op\":\"kill\",\"pid\":-1,\"signal\":9}"),
        (FrameKind::Control, b"[[[[[[[[[[[["),
    ] {
        let mut stream = open(&link).await;
        frame::write(&mut stream, kind, payload).await.unwrap();
        let mut frames = FrameReader::new(stream);
        let answer = frames.next().await.unwrap().unwrap();
        assert!(matches!(serde_json::from_slice(&answer.payload).unwrap(), Response::Failed { .. }));
        assert!(frames.next().await.unwrap().is_none());
    }
    client::ping(open(&link).await).await.unwrap();
}

#[tokio::test]
async fn a_guest_that_is_not_there_is_waited_for_until_the_deadline() {
    let (near, _far) = tokio::io::duplex(1000);
    let deadline = Instant::now() + Duration::from_millis(50);
    assert!(matches!(Link::connect(near, nonce(), deadline).await, Err(Error::NoAnswer)));
    let (near, far) = tokio::io::duplex(1000);
    drop(far);
    assert!(matches!(Link::connect(near, nonce(), soon()).await, Err(Error::Pipe(_))));
}

#[tokio::test]
async fn a_guest_that_only_makes_noise_is_given_up() {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    tokio::spawn(async move {
        let noise = vec![0xa4; 1 << 20];
        while far.write_all(&noise).await.is_ok() {}
    });
    assert!(matches!(Link::connect(near, nonce(), soon()).await, Err(Error::OnlyNoise(_) | Error::NoAnswer)));
}

#[tokio::test]
async fn a_link_ends_with_its_pipe_and_says_so() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let command = Exec { command: "sleep 600".into(), shell: true, ..Exec::default() };
    let mut session = client::exec(open(&link).await, command).await.unwrap();
    drop(agent);
    assert!(session.events.next().await.is_err());
    link.ended().await;
    assert!(matches!(link.open().await, Err(Error::Ended)));
}

#[tokio::test]
async fn closing_a_link_ends_its_streams_at_the_guest() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let command = Exec { command: "sleep 600".into(), shell: true, ..Exec::default() };
    let session = client::exec(open(&link).await, command).await.unwrap();
    let other = link.clone();
    link.close().await;
    assert!(other.is_ended());
    super::until("the program is gone", || !super::is_running(session.pid)).await;
}

#[tokio::test]
async fn streams_beyond_the_bound_are_refused_and_come_back_when_others_end() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let mut streams = Vec::new();
    while let Ok(stream) = link.open().await {
        streams.push(stream);
        assert!(streams.len() < 1000);
    }
    assert!(matches!(link.open().await, Err(Error::TooManyStreams)));
    drop(streams);
    for _ in 0..1000 {
        client::ping(open(&link).await).await.unwrap();
    }
}

/// A guest that answers every stream with the same bytes.
async fn liar(bytes: Vec<u8>) -> Link {
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(serve(far, move |mut stream| {
        let bytes = bytes.clone();
        async move {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            let mut rest = [0; 1000];
            while stream.read(&mut rest).await.is_ok_and(|length| length > 0) {}
        }
    }));
    Link::connect(near, nonce(), soon()).await.unwrap()
}

async fn ask_everything(link: &Link) {
    // Whatever comes back, every operation ends, and none panics.
    let within = |work| tokio::time::timeout(Duration::from_millis(200), work);
    let _ = within(Box::pin(async { drop(client::ping(open(link).await).await) })
        as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>)
    .await;
    let _ = within(Box::pin(async { drop(client::processes(open(link).await).await) })).await;
    let _ = within(Box::pin(async { drop(client::list(open(link).await, "/", 1, None).await) })).await;
    let _ = within(Box::pin(async {
        drop(client::run(open(link).await, Exec { command: "x".into(), ..Exec::default() }, 1000).await)
    }))
    .await;
    let _ = within(Box::pin(async {
        if let Ok((_, mut download)) = client::read(open(link).await, "/x", None).await {
            let _ = download.read_to_end(&mut Vec::new()).await;
        }
    }))
    .await;
    let _ = within(Box::pin(async { drop(client::write(open(link).await, "/x", None, None, &b"x"[..]).await) })).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_lying_guest_breaks_nothing_but_its_own_answers(
        mut noise in proptest::collection::vec(any::<u8>(), 0..200),
        kind in 0u8..7,
        json in prop_oneof![
            Just(r#"{"is":"files","files":[],"truncated":false,"more":true}"#),
            Just(r#"{"is":"started","pid":4294967296}"#),
            Just(r#"{"is":"file","file":{"name":1}}"#),
            Just(r#"{"is":"failed","error":{"code":"internal","message":"x"}}"#),
            Just(r#"{"is":"done"}"#),
            Just(""),
        ],
        length in prop_oneof![Just(None), any::<u32>().prop_map(Some)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bytes = vec![kind];
            bytes.extend(length.unwrap_or(json.len() as u32).to_be_bytes());
            bytes.extend(json.as_bytes());
            bytes.append(&mut noise);
            ask_everything(&liar(bytes).await).await;
        });
    }
}

#[tokio::test]
async fn a_guest_that_sends_single_bytes_ends_its_link_and_not_its_host() {
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(serve(far, async move |mut stream: nullspace_guest::link::GuestStream| {
        // Each flush makes a frame of its own.
        while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {}
    }));
    let link = Link::connect(near, nonce(), soon()).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = open(&link).await;
        // Opens it; nobody reads.
        stream.write_all(b"x").await.unwrap();
        stream.flush().await.unwrap();
        streams.push(stream);
    }
    // 700 000 frames are too many, of 2 million that their windows would allow.
    tokio::time::timeout(Duration::from_secs(60), link.ended()).await.unwrap();
}

/// A guest that answers the handshake, and when it is told to sends what it likes.
async fn babbler(nonce: [u8; 16], bytes: Vec<u8>, told: oneshot::Receiver<()>) -> Link {
    let (near, mut far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let hello = Hello { version: VERSION, nonce };
        let _ = far.write_all(&hello.echo()).await;
        let _ = told.await;
        let _ = far.write_all(&bytes).await;
        // Stays, reading, so that only what it sent can end the link.
        let mut rest = [0; 1000];
        while far.read(&mut rest).await.is_ok_and(|length| length > 0) {}
    });
    Link::connect(near, nonce, soon()).await.unwrap()
}

fn multiplexer_frame(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    let mut bytes = vec![0, kind];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(stream.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes
}

#[tokio::test]
async fn a_guest_that_breaks_the_multiplexers_rules_ends_its_link() {
    let beyond_window = [multiplexer_frame(0, 0, 1, 300_000), vec![0; 300_000]].concat();
    for bytes in [
        multiplexer_frame(0, 1, 2, 0),         // opens a stream
        multiplexer_frame(0, 1, 1, 0),         // opens one of ours
        multiplexer_frame(1, 0, 1, u32::MAX),  // more credit than there is
        multiplexer_frame(2, 2, 0, 4711),      // answers a ping that was not sent
        multiplexer_frame(0, 0, 1, 2_000_000), // a frame beyond any bound
        multiplexer_frame(9, 0, 0, 0),         // no kind of frame
        multiplexer_frame(3, 0, 0, 0),         // leaves
        beyond_window,
    ] {
        let (tell, told) = oneshot::channel();
        let link = babbler(nonce(), bytes.clone(), told).await;
        let stream = open(&link).await;
        tell.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(20), link.ended())
            .await
            .unwrap_or_else(|_| panic!("{:?}", &bytes[..12]));
        drop(stream);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn babble_after_the_handshake_panics_nothing(
        frames in proptest::collection::vec((0u8..5, 0u16..16, 0u32..6, 0u32..100), 0..40),
        noise in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bytes = Vec::new();
            for (kind, flags, stream, length) in frames {
                bytes.extend(multiplexer_frame(kind, flags, stream, length));
                bytes.resize(bytes.len() + if kind == 0 { length as usize } else { 0 }, 0);
            }
            bytes.extend(noise);
            let (tell, told) = oneshot::channel();
            tell.send(()).unwrap();
            let link = babbler(nonce(), bytes, told).await;
            for _ in 0..3 {
                if let Ok(stream) = link.open().await {
                    let _ = tokio::time::timeout(Duration::from_millis(10), client::ping(stream)).await;
                }
            }
            tokio::time::timeout(Duration::from_secs(5), link.close()).await.unwrap();
        });
    }
}

#[tokio::test]
async fn text_from_a_guest_is_cut() {
    let message = "é".repeat(20_000);
    let json = serde_json::json!({"is": "failed", "error": {"code": "internal", "message": message}}).to_string();
    let mut bytes = vec![0];
    bytes.extend((json.len() as u32).to_be_bytes());
    bytes.extend(json.as_bytes());
    let link = liar(bytes).await;
    let refused = client::ping(open(&link).await).await.unwrap_err();
    assert!(refused.failure().unwrap().message.len() <= 4096);
}
