//! Reads `steps` and checks what is in them. What passes can be put on a command line after `--`, or
//! given to the guest as a path, without surprises.

use super::problem::{Fields, Problems};
use super::step::{CopyItem, Step};
use crate::limits::{BUILD_STEPS_MAX, COMMAND_BYTES_MAX, PACKAGES_MAX, PATH_MAX};
use serde_json::Value;

/// The actions of spec templates §7.2.
const ACTIONS: [&str; 15] = [
    "apt_install",
    "pip_install",
    "npm_install",
    "bun_install",
    "run",
    "skip_cache",
    "copy",
    "copy_items",
    "git_clone",
    "workdir",
    "user",
    "remove",
    "rename",
    "make_dir",
    "make_symlink",
];

/// Longest name of a user, a package, a branch: nothing real comes near it.
const WORD_MAX: usize = 256;

pub(super) fn read(request: &Fields<'_>, problems: &mut Problems) -> Vec<Step> {
    let items = request.list("steps", BUILD_STEPS_MAX, problems).unwrap_or_default();
    let mut steps = Vec::with_capacity(items.len());
    for (path, item) in items {
        if let Some(step) = step(&path, item, problems) {
            check(&path, &step, problems);
            steps.push(step);
        }
    }
    steps
}

fn step(path: &str, item: &Value, problems: &mut Problems) -> Option<Step> {
    let fields = Fields::of(path, item, problems)?;
    let Some(action) = fields.text("action", problems) else {
        if !fields.has("action") {
            problems.add(fields.path("action"), "is missing");
        }
        return None;
    };
    if !ACTIONS.contains(&action) {
        let shown: String = action.chars().take(40).collect();
        problems.add(fields.path("action"), format!("is `{shown}`, expected one of {}", ACTIONS.join(", ")));
        return None;
    }
    // Absent and null are the same to us, but not to the derived reader.
    let mut item = item.clone();
    if let Value::Object(map) = &mut item {
        map.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(item).map_err(|error| problems.add(path, format!("is not a `{action}` step: {error}"))).ok()
}

fn check(path: &str, step: &Step, problems: &mut Problems) {
    let field = |key: &str| format!("{path}.{key}");
    match step {
        Step::AptInstall { packages }
        | Step::PipInstall { packages, .. }
        | Step::NpmInstall { packages, .. }
        | Step::BunInstall { packages, .. } => packages_are_names(&field("packages"), packages, problems),
        Step::Run { command: text, user: name } => {
            command(&field("command"), text, problems);
            name.iter().for_each(|name| user(&field("user"), name, problems));
        }
        Step::SkipCache => {}
        Step::Copy(item) => copy(path, item, problems),
        Step::CopyItems { items } => {
            for (index, item) in items.iter().enumerate() {
                copy(&format!("{path}.items[{index}]"), item, problems);
            }
        }
        Step::GitClone { url, path: to, branch, depth } => {
            git_url(&field("url"), url, problems);
            guest_path(&field("path"), to, problems);
            branch.iter().for_each(|branch| word(&field("branch"), branch, problems));
            if *depth == Some(0) {
                problems.add(field("depth"), "must be at least 1");
            }
        }
        Step::Workdir { path: to } => guest_path(&field("path"), to, problems),
        Step::User { user: name } => user(&field("user"), name, problems),
        Step::Remove { path: what, .. } => {
            guest_path(&field("path"), what, problems);
            if what.split('/').all(|part| matches!(part, "" | "." | "..")) {
                problems.add(field("path"), "may not be the root or the working directory itself");
            }
        }
        Step::Rename { src, dst, .. } => {
            guest_path(&field("src"), src, problems);
            guest_path(&field("dst"), dst, problems);
        }
        Step::MakeDir { path: to, mode: bits } => {
            guest_path(&field("path"), to, problems);
            bits.iter().for_each(|bits| mode(&field("mode"), bits, problems));
        }
        Step::MakeSymlink { target, path: to } => {
            guest_path(&field("path"), to, problems);
            plain(&field("target"), target, PATH_MAX, problems);
        }
    }
}

fn copy(path: &str, item: &CopyItem, problems: &mut Problems) {
    if item.sources.is_empty() {
        problems.add(format!("{path}.sources"), "must name at least one source");
    }
    guest_path(&format!("{path}.dst"), &item.dst, problems);
    item.user.iter().for_each(|name| user(&format!("{path}.user"), name, problems));
    item.mode.iter().for_each(|bits| mode(&format!("{path}.mode"), bits, problems));
}

fn packages_are_names(field: &str, packages: &[String], problems: &mut Problems) {
    if packages.is_empty() || packages.len() > PACKAGES_MAX {
        problems.add(field, format!("must name 1 to {PACKAGES_MAX} packages"));
    }
    for (index, package) in packages.iter().enumerate() {
        word(&format!("{field}[{index}]"), package, problems);
    }
}

/// One argument that cannot be taken for an option.
fn word(field: &str, text: &str, problems: &mut Problems) {
    if text.trim().is_empty() || text.len() > WORD_MAX || text.starts_with('-') || text.chars().any(char::is_control) {
        problems.add(field, format!("must be 1 to {WORD_MAX} characters, not beginning with `-`"));
    }
}

fn git_url(field: &str, url: &str, problems: &mut Problems) {
    // Not `ext::` and other helpers: they are commands.
    let schemes = ["https://", "http://", "ssh://", "git://"];
    let is_scp_like = url.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
    let is_url = schemes.iter().any(|scheme| url.starts_with(scheme)) || is_scp_like;
    if !is_url || url.starts_with('-') || url.len() > PATH_MAX || url.chars().any(|c| c.is_control() || c == ' ') {
        problems.add(field, "must be an https, http, ssh or git URL, or `user@host:path`");
    }
}

/// A shell command: anything but nothing, NUL and more than fits a frame.
pub(super) fn command(field: &str, text: &str, problems: &mut Problems) {
    if text.trim().is_empty() || text.len() > COMMAND_BYTES_MAX || text.contains('\0') {
        problems.add(field, format!("must be a command of 1 to {COMMAND_BYTES_MAX} bytes"));
    }
}

/// `name`, `uid`, or either with a group after a colon.
pub(super) fn user(field: &str, text: &str, problems: &mut Problems) {
    let part = |part: &str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        !part.is_empty() && part.len() <= 64 && !part.starts_with('-') && part.bytes().all(legal)
    };
    if text.split(':').count() > 2 || !text.split(':').all(part) {
        problems.add(field, "must be a user's name or number, `:` and a group if wanted");
    }
}

/// Permission bits: three or four octal digits.
pub(super) fn mode(field: &str, text: &str, problems: &mut Problems) {
    if !matches!(text.len(), 3 | 4) || !text.bytes().all(|b| matches!(b, b'0'..=b'7')) {
        problems.add(field, "must be four octal digits, as `0644`");
    }
}

/// A path inside the machine: absolute, or relative to the working directory without leaving it.
pub(super) fn guest_path(field: &str, path: &str, problems: &mut Problems) {
    plain(field, path, PATH_MAX, problems);
    let mut depth = 0_i64;
    for part in path.split('/') {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        if depth < 0 {
            problems.add(field, "leads out of where it starts with `..`");
            return;
        }
    }
}

pub(super) fn absolute_path(field: &str, path: &str, problems: &mut Problems) {
    guest_path(field, path, problems);
    if !path.starts_with('/') {
        problems.add(field, "must be an absolute path");
    }
}

fn plain(field: &str, text: &str, most: usize, problems: &mut Problems) {
    if text.is_empty() || text.len() > most || text.chars().any(char::is_control) {
        problems.add(field, format!("must be 1 to {most} bytes without control characters"));
    }
}
