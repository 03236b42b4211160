//! Many streams over one byte pipe between a host and a guest: a virtio-serial port, or a unix socket.
//!
//! ```text
//! host ── Hello (magic, version, nonce, check) ──▶ guest     whatever came before it is dropped
//! host ◀─ Echo  (magic, nonce, version) ────────── guest     whatever came before it is dropped
//! host ◀──────── yamux, the host opens streams ──────────▶ guest
//! ```
//!
//! The guest cannot see a host go and another come: on virtio-serial the bytes just run on, across a
//! snapshot and its restore too. So it looks for a `Hello` at all times, and each one ends what was
//! going on and starts anew. Bytes of a stream must then never look like a `Hello`, or uploading this
//! very program would cut the line: what the host sends after its `Hello` is masked with a key
//! stream made of the nonce, as browsers mask what they send on a web socket.

mod guest;
mod handshake;
mod host;
mod mask;
mod screen;

pub use guest::{Stream as GuestStream, serve};
pub use handshake::{Hello, NONCE, Scanner};
pub use host::{Error, Link, Stream};

/// Streams open at once on one link. Each may hold `yamux::DEFAULT_CREDIT` (256 KiB) that nobody reads.
pub const STREAMS_MAX: usize = 256;

/// Unread bytes that all streams of one link may ever be granted: the credit each has from the start,
/// and 16 MiB in which busy ones may grow.
pub const WINDOW_MAX: usize = 2 * STREAMS_MAX * yamux::DEFAULT_CREDIT as usize + 16 * 1024 * 1024;

/// Bytes on their way between the pipe and the multiplexer.
const PIPE_BUFFER: usize = 64 * 1024;

fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    // Twice what `Link` allows: a stream stays counted until its end could be sent, and yamux ends the
    // whole link when the count is passed.
    config.set_max_num_streams(2 * STREAMS_MAX);
    config.set_max_connection_receive_window(Some(WINDOW_MAX));
    config.set_split_send_size(32 * 1024);
    config
}
