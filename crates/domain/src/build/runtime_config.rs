//! Reads `start_cmd` and `runtime_config`: how the template's machine behaves once it runs.

use super::problem::{Fields, Problems};
use super::step_rules::{absolute_path, command, user};
use crate::limits::READINESS_TIMEOUT_MAX;
use crate::name;
use crate::readiness::{Pace, Readiness};
use crate::runtime::RuntimeConfig;

/// Longest path of a probe: it travels in one small frame.
const PROBE_PATH_MAX: usize = 2048;

pub(super) fn read(request: &Fields<'_>, problems: &mut Problems) -> RuntimeConfig {
    let start_cmd = request.text("start_cmd", problems).map(str::to_owned);
    let mut runtime = RuntimeConfig { start_cmd, ..RuntimeConfig::default() };
    if let Some(start) = &runtime.start_cmd {
        command("start_cmd", start, problems);
    }
    let Some(fields) = request.object("runtime_config", problems) else { return runtime };
    runtime.default_envs = fields.texts("default_envs", problems);
    let checked = name::envs(&fields.path("default_envs"), &runtime.default_envs);
    problems.keep(checked);
    runtime.default_user = fields.text("default_user", problems).map(str::to_owned);
    if let Some(name) = &runtime.default_user {
        user(&fields.path("default_user"), name, problems);
    }
    runtime.default_workdir = fields.text("default_workdir", problems).map(str::to_owned);
    if let Some(path) = &runtime.default_workdir {
        absolute_path(&fields.path("default_workdir"), path, problems);
    }
    runtime.readiness = fields.object("readiness", problems).and_then(|fields| readiness(&fields, problems));
    runtime
}

fn readiness(fields: &Fields<'_>, problems: &mut Problems) -> Option<Readiness> {
    let Some(kind) = fields.text("kind", problems) else {
        if !fields.has("kind") {
            problems.add(fields.path("kind"), "is missing: `tcp`, `http`, `command` or `timeout`");
        }
        return None;
    };
    match kind {
        "tcp" => Some(Readiness::Tcp { port: port(fields, problems)?, pace: pace(fields, problems) }),
        "http" => {
            let port = port(fields, problems);
            let path = fields.text("path", problems).unwrap_or("/");
            if !path.starts_with('/') || path.len() > PROBE_PATH_MAX || path.chars().any(|c| c.is_control() || c == ' ')
            {
                let most = PROBE_PATH_MAX;
                problems.add(fields.path("path"), format!("must begin with `/`, without spaces, at most {most} bytes"));
            }
            Some(Readiness::Http { port: port?, path: path.to_owned(), pace: pace(fields, problems) })
        }
        "command" => {
            let text = fields.text("command", problems).unwrap_or_default();
            command(&fields.path("command"), text, problems);
            Some(Readiness::Command { command: text.to_owned(), pace: pace(fields, problems) })
        }
        "timeout" => {
            let most = u64::try_from(READINESS_TIMEOUT_MAX.as_millis()).expect("minutes");
            if !fields.has("timeout_ms") {
                problems.add(fields.path("timeout_ms"), "is missing");
            }
            Some(Readiness::Timeout { timeout_ms: fields.number("timeout_ms", 0..=most, problems)? })
        }
        _ => {
            problems.add(fields.path("kind"), "must be `tcp`, `http`, `command` or `timeout`");
            None
        }
    }
}

fn port(fields: &Fields<'_>, problems: &mut Problems) -> Option<u16> {
    if !fields.has("port") {
        problems.add(fields.path("port"), "is missing");
    }
    fields.number("port", 1..=u64::from(u16::MAX), problems).and_then(|port| u16::try_from(port).ok())
}

fn pace(fields: &Fields<'_>, problems: &mut Problems) -> Pace {
    let most = READINESS_TIMEOUT_MAX.as_secs();
    let usual = Pace::default();
    Pace {
        timeout_secs: fields.number("timeout_secs", 1..=most, problems).unwrap_or(usual.timeout_secs),
        // Faster than this measures the probe; slower than a minute is a mistake of units.
        interval_ms: fields.number("interval_ms", 10..=60_000, problems).unwrap_or(usual.interval_ms),
        startup_grace_secs: fields.number("startup_grace_secs", 0..=most, problems).unwrap_or(usual.startup_grace_secs),
    }
}
