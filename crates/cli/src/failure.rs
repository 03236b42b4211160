//! Everything a command can fail with, as a person and as a script see it (spec cli §1, §2).
//!
//! With `--json` a failure is one object on standard output; without, a sentence on standard error with
//! what to do about it. The exit code follows from the error code alone.

use nullspace_api::client;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Client(#[from] client::Error),
    #[error("no API key is known")]
    NoKey,
    #[error("{flag}: {problem}")]
    Usage { flag: String, problem: String },
    #[error("{waited_for} did not happen within {seconds:.0} s")]
    Timeout { waited_for: String, seconds: f64 },
    /// The server said so in a stream, after the request itself was accepted.
    #[error("{message}")]
    Reported { code: String, message: String, hint: Option<String>, details: Option<Value> },
    #[error("cannot {action} `{path}`", path = path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot read standard input")]
    Stdin {
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write to standard output")]
    Stdout {
        #[source]
        source: std::io::Error,
    },
    /// Nothing went wrong with us: a command in a sandbox, or a question, answered with this code.
    #[error("exit code {0}")]
    Exit(u8),
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Serve(#[from] crate::serve::Error),
}

impl Failure {
    pub fn usage(flag: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Usage { flag: flag.into(), problem: problem.into() }
    }

    pub fn code(&self) -> String {
        match self {
            Self::Client(error) => match error {
                client::Error::Api { body, .. } => body.code.as_str().to_owned(),
                client::Error::BaseUrl { .. } => "invalid_request".to_owned(),
                client::Error::Decode { .. } | client::Error::Frame { .. } | client::Error::EventTooLong { .. } => {
                    "invalid_response".to_owned()
                }
                client::Error::Unexplained { .. } => "unknown".to_owned(),
                client::Error::Setup { .. }
                | client::Error::Transport { .. }
                | client::Error::Socket { .. }
                | client::Error::SocketClosed => "transport_error".to_owned(),
            },
            Self::NoKey => "missing_api_key".to_owned(),
            Self::Usage { .. } => "invalid_request".to_owned(),
            Self::Timeout { .. } => "timeout".to_owned(),
            Self::Reported { code, .. } => code.clone(),
            Self::File { .. } | Self::Stdin { .. } | Self::Stdout { .. } => "file_error".to_owned(),
            Self::Serve(_) => "internal_error".to_owned(),
            Self::Exit(_) | Self::Interrupted => "interrupted".to_owned(),
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exit(code) => *code,
            Self::Interrupted => 130,
            other => exit_code_of(&other.code()),
        }
    }

    /// What to do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoKey => Some("run `nullspace auth login`, or set NULLSPACE_API_KEY".to_owned()),
            Self::Client(client::Error::Transport { .. }) => {
                Some("is the server running? `nullspace serve` starts one; NULLSPACE_API_URL names another".to_owned())
            }
            Self::Client(client::Error::Api { body, .. }) => match body.suggested_action.as_deref() {
                Some(action) if !action.is_empty() => Some(action.to_owned()),
                _ if body.code == nullspace_api::ErrorCode::Unauthorized => {
                    Some("the key was not accepted: `nullspace auth login` stores another".to_owned())
                }
                _ => None,
            },
            Self::Reported { hint, .. } => hint.clone(),
            _ => None,
        }
    }

    fn body(&self) -> Option<&nullspace_api::ErrorBody> {
        match self {
            Self::Client(error) => error.body(),
            _ => None,
        }
    }

    /// The error and all that caused it, in one line.
    pub fn message(&self) -> String {
        // The layers of an HTTP library say nothing to a person; what the system said at the bottom does.
        if let Self::Client(error @ client::Error::Transport { .. }) = self {
            let mut bottom: &dyn std::error::Error = error;
            while let Some(cause) = bottom.source() {
                bottom = cause;
            }
            return format!("{error}: {bottom}");
        }
        let mut text = self.to_string();
        let mut cause = match self {
            // `transparent` shows the client's own text; its causes come after.
            Self::Client(error) => std::error::Error::source(error),
            Self::Serve(error) => std::error::Error::source(error),
            other => std::error::Error::source(other),
        };
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.contains(&next) {
                text = format!("{text}: {next}");
            }
            cause = error.source();
        }
        text
    }

    /// Tells the user, in the form that was asked for.
    pub fn tell(&self, json: bool) {
        if matches!(self, Self::Exit(_)) {
            return;
        }
        // Telling is the last thing that happens: where nobody can hear it, the exit code still says it.
        let _ = if json { self.tell_script() } else { self.tell_person() };
    }

    fn tell_person(&self) -> std::io::Result<()> {
        let mut out = std::io::stderr().lock();
        writeln!(out, "error: {}", self.message())?;
        if let Some(hint) = self.hint() {
            writeln!(out, "hint: {hint}")?;
        }
        if let Some(id) = self.body().and_then(|body| body.request_id.as_deref()) {
            writeln!(out, "Request ID: {id}")?;
        }
        Ok(())
    }

    fn tell_script(&self) -> std::io::Result<()> {
        let body = self.body();
        let details = match self {
            Self::Reported { details, .. } => details.clone(),
            _ => body.and_then(|body| body.details.clone()).map(Value::Object),
        };
        let code = self.code();
        let told = Told {
            error: ToldError {
                message: self.message(),
                hint: self.hint(),
                doc_url: format!("docs/errors/{}.md", code.replace('_', "-")),
                code,
                request_id: body.and_then(|body| body.request_id.clone()),
                retryable: body.and_then(|body| body.retryable),
                error_detail: body
                    .and_then(|body| body.error_detail.as_ref())
                    .map(|detail| serde_json::to_value(detail).unwrap_or(Value::Object(Map::new()))),
                suggested_action: body.and_then(|body| body.suggested_action.clone()),
                details,
            },
        };
        crate::output::json(&told)
    }
}

#[derive(Serialize)]
struct Told {
    error: ToldError,
}

#[derive(Serialize)]
struct ToldError {
    code: String,
    message: String,
    hint: Option<String>,
    doc_url: String,
    request_id: Option<String>,
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_detail: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggested_action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// Tells about a command line that could not be understood; `clap` has the words.
pub fn tell_usage(error: &clap::Error, json: bool) -> u8 {
    let asked_for_help = !error.use_stderr();
    if asked_for_help || !json {
        let _ = error.print();
    } else {
        let message = error.render().to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Failure::Reported { code: "invalid_request".to_owned(), message: first, hint: None, details: None }.tell(true);
    }
    if asked_for_help { 0 } else { 2 }
}

/// Families first come from the spec: a code that says "quota" is a quota, whatever else it says.
fn exit_code_of(code: &str) -> u8 {
    match code {
        "invalid_request" | "invalid_fields" | "invalid_response" => 2,
        "unauthorized" | "unauthenticated" | "missing_api_key" => 4,
        "forbidden" | "permission_denied" | "volume_read_only" => 5,
        "capacity_exceeded" | "volume_limit_exceeded" | "file_upload_limit_exceeded" => 6,
        "conflict"
        | "sandbox_not_ready"
        | "snapshot_in_use"
        | "rebuild_required"
        | "incompatible_snapshot"
        | "volume_busy" => 7,
        "exec_timeout" | "exec_failed" | "timeout" => 8,
        _ if code.contains("quota") || code.contains("rate_limit") => 6,
        _ if code == "not_found" || code.ends_with("_not_found") => 3,
        _ if code.ends_with("_permission_denied") => 5,
        _ if code.ends_with("_conflict") => 7,
        _ if ["edge_token_", "preview_grant_", "preview_proxy_token_"]
            .iter()
            .any(|family| code.starts_with(family)) =>
        {
            4
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_error_code() {
        for (code, expected) in [
            ("warm_pool_unavailable", 1),
            ("build_error", 1),
            ("transport_error", 1),
            ("invalid_fields", 2),
            ("template_warm_pool_not_found", 3),
            ("preview_grant_not_found", 3),
            ("missing_api_key", 4),
            ("edge_token_expired", 4),
            ("file_permission_denied", 5),
            ("volume_quota_exceeded", 6),
            ("transition_conflict", 7),
            ("timeout", 8),
            ("from_the_future", 1),
        ] {
            assert_eq!(exit_code_of(code), expected, "{code}");
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let source = std::io::Error::other("disk is full");
        let failure = Failure::File { action: "write", path: "/x".into(), source };
        assert_eq!(failure.message(), "cannot write `/x`: disk is full");
    }
}
