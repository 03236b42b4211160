//! A TCP connection inside the guest, carried to the host.

use super::serve::{Frames, respond};
use super::{fail, os};
use crate::frame::{self, FrameReader};
use crate::link::GuestStream;
use crate::protocol::{FailureCode, FrameKind, Response};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Read from a connection at once.
const PIECE: usize = 32 * 1024;

pub async fn run(port: u16, mut frames: Frames) -> Result<(), frame::Error> {
    if port == 0 {
        return respond(&mut frames, Err(fail(FailureCode::InvalidRequest, "there is no port 0"))).await;
    }
    let connected = tokio::select! {
        connected = connect(port) => connected,
        _ = frames.next() => return Ok(()),
    };
    let connection = match connected {
        Ok(connection) => connection,
        Err(error) => {
            let failure = os(&error, format_args!("connect to port {port}"));
            return respond(&mut frames, Err(failure)).await;
        }
    };
    // Whoever speaks decides what belongs together; waiting for more would only delay it.
    let _ = connection.set_nodelay(true);
    respond(&mut frames, Ok(Response::Done)).await?;
    let (from_guest, to_guest) = connection.into_split();
    let (from_host, to_host) = frames.split();
    let mut inward = std::pin::pin!(inward(from_host, to_guest));
    // What the guest sends may end before what the host sends, and a hang-up ends both.
    tokio::select! {
        sent = outward(from_guest, to_host) => sent?,
        received = &mut inward => return received,
    }
    inward.await
}

/// Connects to a server on loopback. Some listen on the newer protocol's only.
pub async fn connect(port: u16) -> io::Result<TcpStream> {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // What the older protocol said is what counts if neither works.
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.map_err(|_| error)
        }
        connected => connected,
    }
}

async fn outward(mut from: OwnedReadHalf, mut to: WriteHalf<GuestStream>) -> Result<(), frame::Error> {
    let mut buffer = vec![0; PIECE];
    loop {
        // A broken connection must not look like one that ended: the stream ends without the empty frame.
        let length = from.read(&mut buffer).await.map_err(frame::Error::Read)?;
        frame::write(&mut to, FrameKind::Data, &buffer[..length]).await?;
        if length == 0 {
            return Ok(());
        }
    }
}

/// Ends when the host hangs up.
async fn inward(mut from: FrameReader<ReadHalf<GuestStream>>, mut to: OwnedWriteHalf) -> Result<(), frame::Error> {
    while let Some(frame) = from.next().await? {
        // A connection that takes no more may still have something to say, so failing here ends nothing.
        let _ = if frame.payload.is_empty() { to.shutdown().await } else { to.write_all(&frame.payload).await };
    }
    Ok(())
}
