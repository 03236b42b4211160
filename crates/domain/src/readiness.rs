//! When a machine counts as ready (spec templates §7.4).

use serde::{Deserialize, Serialize};

/// A probe, run inside the guest until it succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Readiness {
    /// Something accepts connections on `127.0.0.1:port`.
    Tcp {
        port: u16,
        #[serde(flatten)]
        pace: Pace,
    },
    /// `GET path` on `127.0.0.1:port` answers with a status below 400.
    Http {
        port: u16,
        path: String,
        #[serde(flatten)]
        pace: Pace,
    },
    /// The shell command ends with exit code 0.
    Command {
        command: String,
        #[serde(flatten)]
        pace: Pace,
    },
    /// Ready after so many milliseconds, whatever happens.
    Timeout { timeout_ms: u64 },
}

/// How often and how long to probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    pub timeout_secs: u64,
    pub interval_ms: u64,
    pub startup_grace_secs: u64,
}

impl Default for Pace {
    /// What the published client's helpers send.
    fn default() -> Self {
        Self { timeout_secs: 30, interval_ms: 500, startup_grace_secs: 2 }
    }
}
