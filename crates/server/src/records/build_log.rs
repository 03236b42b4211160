//! A build's durable, numbered log (spec templates §2.4).

use super::{Failure, TemplateInfo};
use nullspace_domain::{BuildId, TemplateId, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub build: BuildId,
    pub template: TemplateId,
    /// From 0, without gaps.
    pub offset: u64,
    pub timestamp: Timestamp,
    pub kind: LogKind,
    pub level: LogLevel,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// 1-based.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_index: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheNote>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The template as it is now; only on `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<TemplateInfo>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    Start,
    Message,
    Cache,
    Retry,
    Warning,
    Error,
    Cancelled,
    End,
}

impl LogKind {
    /// Whether nothing follows an entry of this kind.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Error | Self::Cancelled | Self::End)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// Words are those of spec api §5 (cache kind, status, reason).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheNote {
    pub kind: String,
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub subject: String,
}
