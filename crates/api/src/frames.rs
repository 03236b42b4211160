//! The JSON text frames of `WS …/ws?channel=exec` (spec sandboxes §5).

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use std::collections::BTreeMap;

/// Largest frame sent to a client: the published client's library refuses more.
pub const FRAME_MAX: usize = 1024 * 1024;

/// What a client says.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    ExecStart {
        id: Option<String>,
        command: String,
        args: Option<Vec<String>>,
        cwd: Option<String>,
        envs: Option<BTreeMap<String, String>>,
        shell: Option<bool>,
        timeout_secs: Option<u64>,
        background: Option<bool>,
    },
    /// Follows a process from its first byte.
    ExecConnect {
        id: Option<String>,
        pid: u32,
    },
    ExecStdin {
        id: Option<String>,
        pid: u32,
        data: String,
    },
    ExecStdinClose {
        id: Option<String>,
        pid: u32,
    },
    ExecKill {
        id: Option<String>,
        pid: u32,
    },
}

/// What the server says. `id` echoes the request.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    ExecStarted {
        id: Option<String>,
        pid: u32,
    },
    ExecStdout {
        id: Option<String>,
        pid: u32,
        data: String,
    },
    ExecStderr {
        id: Option<String>,
        pid: u32,
        data: String,
    },
    /// The last frame about a process; always sent before the socket closes.
    ExecExit {
        id: Option<String>,
        pid: u32,
        exit_code: i32,
    },
    Error {
        id: Option<String>,
        message: String,
        code: Option<crate::ErrorCode>,
    },
}
