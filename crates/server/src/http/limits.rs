//! Bounds of the HTTP side, each with its reason.

use std::time::Duration;

/// JSON bodies: the largest lawful one is a command with its environment (the guest's own bound).
pub const BODY_MAX: usize = 1024 * 1024;
/// A declarative build request holds steps and a Dockerfile, no file contents.
pub const BUILD_BODY_MAX: usize = 8 * 1024 * 1024;
/// `validate` and `plan` carry every context file inline as base64 (spec templates §6.1).
pub const INLINE_BUILD_BODY_MAX: usize = 256 * 1024 * 1024;
/// Text and base64 writes are held in memory whole; larger files have the raw route.
pub const WRITE_BODY_MAX: usize = 64 * 1024 * 1024;
/// A file read as text is held in memory whole, and again as JSON.
pub const READ_TEXT_MAX: u64 = 64 * 1024 * 1024;
/// The files of one batch write, together.
pub const BATCH_BODY_MAX: usize = 64 * 1024 * 1024;
/// Files in one batch write: each is an operation of its own in the guest.
pub const BATCH_FILES_MAX: usize = 1_000;
/// Files one preflight may ask about: one row each is looked up.
pub const PREFLIGHT_FILES_MAX: usize = 100_000;
/// Output kept of one foreground command, each stream: the guest's own log bound.
pub const OUTPUT_MAX: usize = nullspace_guest::protocol::LOG_MAX;

/// Request heads: room for large cookies and tokens, not for a memory attack.
pub const HEAD_MAX: usize = 64 * 1024;
/// Header fields of one request: twice what browsers behind proxies send.
pub const HEADERS_MAX: usize = 200;
/// Open connections of one listener: below the usual limit of open files, two for each connection.
pub const CONNECTIONS_MAX: usize = 8_000;
/// A client that takes longer to send a request's head is not a client.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests in flight may go on after the server was told to stop.
pub const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Silence on a stream before a keep-alive: published clients give up after 30 s (spec api §1.4).
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Silence of a foreground command before its answer begins with white space. Below the 30 s above;
/// not shorter, because the status line is spoken for from then on.
pub const EXEC_SILENCE: Duration = Duration::from_secs(20);
/// A guest operation that is not a command and takes longer is not going to end: emulated machines
/// under load answer within a few seconds.
pub const GUEST_TIME: Duration = Duration::from_secs(60);
/// What a command's end may take beyond its own timeout before the guest counts as lost.
pub const EXEC_GRACE: Duration = Duration::from_secs(30);
/// Longest timeout of a command: the longest a sandbox may live without being asked for.
pub const EXEC_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);
/// Default of the published client (spec sandboxes §4.1).
pub const EXEC_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Commands one exec socket may watch at once: the published client uses one.
pub const SOCKET_COMMANDS_MAX: usize = 16;
/// Frames waiting for a slow reader of an exec socket; the guest is slowed down beyond that.
pub const SOCKET_QUEUE: usize = 16;
/// Longest wait of a port readiness check: a client's own read timeout is 120 s.
pub const READINESS_TIME_MAX: Duration = Duration::from_secs(110);
/// Shortest pause between two attempts: each is a stream into the guest.
pub const READINESS_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Longest sandbox timeout: a year; beyond it the arithmetic of dates means nothing to anybody.
pub const SANDBOX_TIMEOUT_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Sandbox timeout when nobody says (spec sandboxes §2.1).
pub const SANDBOX_TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// Progress events of an image waiting for a slow reader.
pub const IMAGE_EVENTS_QUEUE: usize = 64;

/// Longest idempotency key: a UUID is 36.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;
