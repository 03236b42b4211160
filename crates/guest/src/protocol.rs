//! What is said on one stream: one `Request`, then the frames its operation defines.
//!
//! ```text
//! host ── Request (JSON, one `Control` frame) ──▶ guest
//! host ◀─ Response (JSON, one `Control` frame) ── guest
//! host ◀▶ Data, Stdout, Stderr, Exit … as the operation says ◀▶ guest
//! ```
//!
//! A frame is `kind: u8, length: u32 big-endian, payload`. No payload exceeds `FRAME_MAX`, except a
//! request (`REQUEST_MAX`). Lists that do not fit one frame come in several responses: `more` says
//! that another follows.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Changes whenever an old agent and a new host could not understand each other. Part of the
/// compatibility key, so a snapshot holds an agent that speaks this version.
pub const VERSION: u32 = 1;

/// Largest payload of one frame. Flow control is the multiplexer's; this bounds a single allocation.
pub const FRAME_MAX: usize = 64 * 1024;

/// Largest JSON request, the one thing that may exceed `FRAME_MAX`: a command line with its
/// environment can be large. Only the guest reads these, so a hostile guest gains nothing by it.
pub const REQUEST_MAX: usize = 1024 * 1024;

/// Longest text a guest may put into a message the host keeps.
pub const TEXT_MAX: usize = 4 * 1024;

/// As much of the start of a text as fits `max` bytes without cutting a character.
pub fn start_of(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Entries of one directory listing; a longer one says `truncated`.
pub const LIST_MAX: usize = 10_000;

/// Responses that one list may take: 16 MiB, a dozen times what ordinary paths need.
pub const LIST_PARTS_MAX: usize = 256;

/// Processes an agent remembers, running and ended. The oldest ended ones are forgotten first.
pub const PROCESSES_MAX: usize = 1_000;

/// What a process may have logged before its tail is dropped, both streams together.
pub const LOG_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A JSON `Request`, `Response` or `Exit`.
    Control = 0,
    /// Bytes of a file or a tunnel; an empty one ends that direction.
    Data = 1,
    Stdout = 2,
    Stderr = 3,
    /// The process ended: a JSON `Exit`. Nothing follows.
    Exit = 4,
}

/// One operation. The comment says what follows the `Response`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Answers `Response::Pong`. Nothing follows.
    Ping,
    /// Starts a process. Answers `Started`. With `attach`, output frames and one `Exit` follow, and
    /// `Data` frames from the host are its standard input. The process outlives the stream when
    /// `background`, and is killed with it otherwise.
    Exec(Exec),
    /// Output of a process from its first byte, then live, then one `Exit`. Answers `Started`.
    Attach {
        pid: u32,
    },
    /// Answers `Processes`.
    Processes,
    /// Answers `Logs`, then `Stdout`/`Stderr` frames in the order they were written, then an empty `Data`.
    Logs {
        pid: u32,
    },
    /// Signals the process and its group. Answers `Done`.
    Kill {
        pid: u32,
        signal: i32,
    },
    /// Answers `Done`. `close` ends the process's standard input after the data.
    Stdin {
        pid: u32,
        #[serde(with = "base64_bytes")]
        data: Vec<u8>,
        close: bool,
    },
    /// Answers `File`, then `Data` frames, then an empty `Data`.
    Read {
        path: String,
        user: Option<String>,
    },
    /// `Data` frames from the host follow at once, an empty one ends them; then answers `File`.
    /// Parents are created, the file appears whole or not at all.
    Write {
        path: String,
        user: Option<String>,
        mode: Option<u32>,
    },
    /// Answers `Files`. `depth` 1 is the directory's own entries.
    List {
        path: String,
        depth: u32,
        user: Option<String>,
    },
    /// Answers `File`, or the error `not_found`. Symlinks are not followed.
    Stat {
        path: String,
        user: Option<String>,
    },
    /// Answers `Done`. Directories go with their contents.
    Remove {
        path: String,
        user: Option<String>,
    },
    /// Answers `File` of the new path.
    Rename {
        from: String,
        to: String,
        user: Option<String>,
    },
    /// Answers `Done`. Parents are created; an existing directory is fine.
    Mkdir {
        path: String,
        user: Option<String>,
        mode: Option<u32>,
    },
    /// Answers `Done`.
    Chmod {
        path: String,
        mode: u32,
        user: Option<String>,
    },
    /// One readiness attempt. Answers `Probed`.
    Probe(Probe),
    /// Answers `Done` once connected to `127.0.0.1:port` (or `[::1]:port` where only that listens);
    /// then `Data` both ways.
    Tunnel {
        port: u16,
    },
    /// A tar archive (`Data` frames from the host, empty one ends) is unpacked under `dst`. Answers
    /// `Done` after it. Entries that would leave `dst` are refused.
    Unpack {
        dst: String,
        user: Option<String>,
    },
    /// Freezes every user process and flushes the disks. Answers `Done`. Before a snapshot.
    Freeze,
    /// After a restore: makes this clone unique, then thaws. Answers `Renewed`.
    Renew(Renew),
    /// Freezes the root file system so that a disk snapshot is clean; `Thaw` ends it. Answers `Done`.
    FreezeDisk,
    ThawDisk,
    /// Grows the root file system to the disk. Answers `Done`.
    GrowRoot,
    /// Answers `Metrics`.
    Metrics,
    /// Sets the clock (after a pause). Answers `Done`.
    SetTime {
        unix_nanos: i64,
    },
    /// Ends every process, unmounts, powers off. Answers `Done` before it does.
    Shutdown,
}

/// A command to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exec {
    pub command: String,
    pub args: Vec<String>,
    /// Run `command` with the guest's `/bin/sh -c`; `args` must be empty.
    pub shell: bool,
    /// Added to the agent's own minimal environment (`PATH`, `HOME`, `USER`, `LANG`).
    pub envs: BTreeMap<String, String>,
    /// Absolute; none means `/workspace` if it exists, else the user's home, else `/`.
    pub cwd: Option<String>,
    /// A name or `uid[:gid]`; none means root.
    pub user: Option<String>,
    /// Killed (whole group, SIGKILL) after so long; the exit says `timed_out`. 0 means never.
    pub timeout_ms: u64,
    pub background: bool,
    pub attach: bool,
    /// Keep standard input open for `Stdin` requests or `Data` frames; else it is `/dev/null`.
    pub stdin: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    Tcp {
        port: u16,
    },
    Http {
        port: u16,
        path: String,
    },
    /// Run by the shell, as `exec` would with these.
    Command {
        command: String,
        envs: BTreeMap<String, String>,
        cwd: Option<String>,
        user: Option<String>,
        timeout_ms: u64,
    },
}

/// Everything that has to differ between two clones of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// At least 32 bytes of fresh host randomness, credited to the kernel and forced into use.
    #[serde(with = "base64_bytes")]
    pub entropy: Vec<u8>,
    pub unix_nanos: i64,
    /// 32 lower-case hex digits for `/etc/machine-id`.
    pub machine_id: String,
    pub hostname: String,
    /// Written to `/run/nullspace/boot-token`.
    pub boot_token: String,
    /// Counts restores; written to `/run/nullspace/generation`, which user code can read or watch.
    pub generation: u64,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Response {
    Done,
    Pong {
        agent_version: String,
        uptime_ms: u64,
    },
    Started {
        pid: u32,
    },
    Processes {
        processes: Vec<Process>,
        more: bool,
    },
    Logs {
        exit: Option<Exit>,
    },
    File {
        file: File,
    },
    Files {
        files: Vec<File>,
        truncated: bool,
        more: bool,
    },
    Probed {
        ready: bool,
        detail: String,
    },
    /// `proof` is the SHA-256 (hex) of 32 bytes drawn with `getrandom` after the reseed.
    Renewed {
        proof: String,
        boot_token: String,
    },
    Metrics {
        metrics: Metrics,
    },
    Failed {
        error: Failure,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub code: FailureCode,
    /// One sentence without the guest's secrets; bounded to 4 KiB by the host.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    NotFound,
    InvalidRequest,
    PermissionDenied,
    AlreadyExists,
    IsDirectory,
    NotDirectory,
    DiskFull,
    /// The image has no `/bin/sh`.
    NoShell,
    /// The program does not exist or cannot be executed.
    CannotExec,
    /// Nothing listens on the port.
    ConnectionRefused,
    /// The guest's own process limit is reached.
    TooManyProcesses,
    Internal,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub command: String,
    pub running: bool,
}

/// How a process ended. A signal counts as `128 + signal`, as shells do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub code: i32,
    pub signal: Option<i32>,
    pub timed_out: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    /// Absolute and resolved.
    pub path: String,
    pub kind: FileType,
    pub size: u64,
    pub mode: u32,
    pub owner: String,
    pub group: String,
    pub modified_unix_ms: i64,
    pub symlink_target: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    File,
    Dir,
    Symlink,
    Other,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    pub cpu_percent: f64,
    pub cpu_count: u32,
    pub mem_used_bytes: u64,
    pub mem_total_bytes: u64,
    pub disk_used_bytes: u64,
    pub disk_total_bytes: u64,
    pub network_rx_bytes: u64,
    pub network_tx_bytes: u64,
}

/// Bytes as base64 text inside JSON.
mod base64_bytes {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
