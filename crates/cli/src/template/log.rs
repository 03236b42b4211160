//! A build's log on standard error: text, JSON lines, or nothing.

use crate::failure::Failure;
use clap::ValueEnum;
use nullspace_api::builds::{Build, LogEntry, LogKind, LogLevel};
use nullspace_api::error::FailureDetail;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Format {
    Text,
    Jsonl,
    Quiet,
}

impl Format {
    pub fn show(self, entry: &LogEntry) {
        match self {
            Self::Quiet => {}
            Self::Jsonl => line_of_json(entry),
            Self::Text => {
                if let Some(text) = text(entry) {
                    eprintln!("{text}");
                }
            }
        }
    }

    /// How a script following the log learns that it ended badly.
    pub fn show_failure(self, failure: &Failure) {
        #[derive(Serialize)]
        struct Terminal {
            kind: &'static str,
            code: String,
            message: String,
        }
        if self == Self::Jsonl {
            line_of_json(&Terminal { kind: "terminal_error", code: failure.code(), message: failure.message() });
        }
    }
}

/// One entry as a line, or `None` where it is below what people want to see.
pub fn text(entry: &LogEntry) -> Option<String> {
    match (entry.kind, entry.level) {
        (LogKind::Start | LogKind::End, _) => Some(format!("==> {}", entry.message)),
        (_, LogLevel::Debug) => None,
        (_, LogLevel::Info) => Some(entry.message.clone()),
        (_, LogLevel::Warn) => Some(format!("WARN  {}", entry.message)),
        (_, LogLevel::Error) => Some(format!("ERROR {}", entry.message)),
    }
}

/// The failure that a log or a build reports.
pub fn failure(message: &str, detail: Option<&FailureDetail>) -> Failure {
    match detail {
        None => {
            Failure::Reported { code: "build_error".to_owned(), message: message.to_owned(), hint: None, details: None }
        }
        Some(detail) => Failure::Reported {
            code: detail.code.clone(),
            message: detail.message.clone(),
            hint: Some(detail.suggested_action.clone()).filter(|action| !action.is_empty()),
            details: serde_json::to_value(detail).ok(),
        },
    }
}

/// The failure of a build that ended in `error`.
pub fn build_failure(build: &Build) -> Failure {
    failure(build.error.as_deref().unwrap_or("the build failed"), build.error_detail.as_ref())
}

fn line_of_json<T: Serialize>(value: &T) {
    eprintln!("{}", serde_json::to_string(value).expect("a log entry is plain JSON"));
}
