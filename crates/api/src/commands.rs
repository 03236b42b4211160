//! Commands over HTTP (spec sandboxes §4).

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Runs a command: by the guest's shell with `shell`, else `command` with `args` as they are.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exec {
    pub command: String,
    pub args: Option<Vec<String>>,
    pub cwd: Option<String>,
    pub envs: Option<BTreeMap<String, String>>,
    pub shell: Option<bool>,
    /// Absent means 30.
    pub timeout_secs: Option<u64>,
    pub background: Option<bool>,
}

/// How a foreground command ended.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecResult {
    pub exit_code: i32,
    pub stdout: String,
    pub stderr: String,
    pub pid: Option<u32>,
    /// What went wrong after the answer had begun: a long command's status line is sent before its end.
    pub error: Option<String>,
    pub code: Option<crate::ErrorCode>,
}

/// A background command that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Started {
    pub pid: u32,
}

/// What `exec` answers: a result, or for background commands only the process id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ExecAnswer {
    Finished(ExecResult),
    Started(Started),
}

/// A process that was started through the API. Strict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Process {
    pub pid: u32,
    pub command: String,
    pub running: bool,
}

/// Everything a process wrote since it started. `output` is both streams in the order written.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessLogs {
    pub stdout: String,
    pub stderr: String,
    pub output: String,
    /// Absent while it runs.
    pub exit_code: Option<i32>,
}

/// Text for a process's standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StdinData {
    pub data: String,
}
