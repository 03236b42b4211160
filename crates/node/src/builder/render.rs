//! From the published steps to work: what each action means (spec templates §7.2). Pure.

use super::copies::{self, ContextError};
use super::work::{Command, Program, Scope, Work};
use crate::api::ContextFile;
use nullspace_domain::build::Step;
use std::collections::BTreeMap;

/// Why a step cannot be carried out at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error("`{mode}` is not a file mode: use up to four octal digits")]
    Mode { mode: String },
}

/// Turns a step into work and moves the scope for the steps after it.
pub fn render(step: &Step, scope: &mut Scope, context: &BTreeMap<String, ContextFile>) -> Result<Work, RenderError> {
    Ok(match step {
        Step::AptInstall { packages } => apt(packages, scope),
        Step::PipInstall { packages, g } => pip(packages, *g, scope),
        Step::NpmInstall { packages, g } => node("npm", "install", "-g", packages, *g, scope),
        Step::BunInstall { packages, g } => {
            // `bun add` without packages is an error; `bun install` is what installs the project's own.
            let verb = if packages.is_empty() { "install" } else { "add" };
            node("bun", verb, "--global", packages, *g, scope)
        }
        Step::Run { command, user } => Work::Command(Command {
            program: Program::Shell(command.clone()),
            envs: BTreeMap::new(),
            cwd: scope.cwd.clone(),
            user: user.clone().or_else(|| scope.user.clone()),
        }),
        Step::SkipCache => Work::CacheBoundary,
        Step::Copy(item) => Work::Copy { copies: vec![copies::plan(item, &scope.cwd, context)?] },
        Step::CopyItems { items } => Work::Copy {
            copies: items.iter().map(|item| copies::plan(item, &scope.cwd, context)).collect::<Result<_, _>>()?,
        },
        Step::GitClone { url, path, branch, depth } => {
            let mut words = vec!["git".to_owned(), "clone".to_owned()];
            if let Some(branch) = branch {
                words.extend(["--branch".to_owned(), branch.clone()]);
            }
            if let Some(depth) = depth {
                words.extend(["--depth".to_owned(), depth.to_string()]);
            }
            words.extend(["--".to_owned(), url.clone(), absolute(&scope.cwd, path)]);
            direct(words, [("GIT_TERMINAL_PROMPT", "0")], scope)
        }
        Step::Workdir { path } => {
            scope.cwd = absolute(&scope.cwd, path);
            Work::MakeDir { path: scope.cwd.clone(), mode: None, user: scope.user.clone() }
        }
        Step::User { user } => {
            scope.user = Some(user.clone());
            Work::CheckUser { user: user.clone() }
        }
        Step::Remove { path, recursive, force } => Work::Remove {
            path: absolute(&scope.cwd, path),
            recursive: *recursive,
            force: *force,
            user: scope.user.clone(),
        },
        Step::Rename { src, dst, force } => Work::Rename {
            from: absolute(&scope.cwd, src),
            to: absolute(&scope.cwd, dst),
            force: *force,
            user: scope.user.clone(),
        },
        Step::MakeDir { path, mode } => Work::MakeDir {
            path: absolute(&scope.cwd, path),
            mode: mode.as_deref().map(parse_mode).transpose()?,
            user: scope.user.clone(),
        },
        Step::MakeSymlink { target, path } => {
            direct(["ln", "-s", "--", target, &absolute(&scope.cwd, path)].map(str::to_owned).to_vec(), [], scope)
        }
    })
}

/// Always as root: no other user may install packages of the system.
fn apt(packages: &[String], scope: &Scope) -> Work {
    let packages: Vec<_> = packages.iter().map(|package| quoted(package)).collect();
    let script =
        format!("apt-get update && apt-get install -y -- {} && rm -rf /var/lib/apt/lists/*", packages.join(" "));
    Work::Command(Command {
        program: Program::Shell(script),
        envs: envs([("DEBIAN_FRONTEND", "noninteractive"), ("DEBCONF_NONINTERACTIVE_SEEN", "true")]),
        cwd: scope.cwd.clone(),
        user: None,
    })
}

fn pip(packages: &[String], global: bool, scope: &Scope) -> Work {
    let mut words: Vec<String> = ["pip", "install", "--no-cache-dir"].map(str::to_owned).to_vec();
    if !global {
        words.push("--user".to_owned());
    }
    if packages.is_empty() {
        words.push(".".to_owned());
    }
    words.extend(packages.iter().cloned());
    let quiet = [
        // The machine is the environment: a distribution's Python refuses to be installed into otherwise.
        ("PIP_BREAK_SYSTEM_PACKAGES", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_PROGRESS_BAR", "off"),
    ];
    direct(words, quiet, scope)
}

fn node(program: &str, verb: &str, global_flag: &str, packages: &[String], global: bool, scope: &Scope) -> Work {
    let mut words = vec![program.to_owned(), verb.to_owned()];
    if global {
        words.push(global_flag.to_owned());
    }
    words.extend(packages.iter().cloned());
    direct(words, [("NPM_CONFIG_FUND", "false"), ("NPM_CONFIG_UPDATE_NOTIFIER", "false"), ("CI", "1")], scope)
}

fn direct<const N: usize>(words: Vec<String>, extra: [(&str, &str); N], scope: &Scope) -> Work {
    Work::Command(Command {
        program: Program::Direct(words),
        envs: envs(extra),
        cwd: scope.cwd.clone(),
        user: scope.user.clone(),
    })
}

fn envs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// One word for `/bin/sh`.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// `path` seen from `cwd`, without `.`, `..`, doubled or trailing slashes. Nothing climbs above `/`.
pub fn absolute(cwd: &str, path: &str) -> String {
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{cwd}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Octal digits, as the clients send them.
pub fn parse_mode(mode: &str) -> Result<u32, RenderError> {
    u32::from_str_radix(mode, 8)
        .ok()
        .filter(|bits| *bits <= 0o7777)
        .ok_or_else(|| RenderError::Mode { mode: mode.chars().take(16).collect() })
}

/// One line that says what a step does, for the build's log.
pub fn describe(step: &Step) -> String {
    let text = match step {
        Step::AptInstall { packages } => format!("apt install {}", packages.join(" ")),
        Step::PipInstall { packages, .. } => format!("pip install {}", packages.join(" ")),
        Step::NpmInstall { packages, .. } => format!("npm install {}", packages.join(" ")),
        Step::BunInstall { packages, .. } => format!("bun add {}", packages.join(" ")),
        Step::Run { command, .. } => format!("run {command}"),
        Step::SkipCache => "use no cache from here".to_owned(),
        Step::Copy(item) => format!("copy to {}", item.dst),
        Step::CopyItems { items } => {
            format!("copy to {}", items.iter().map(|item| item.dst.as_str()).collect::<Vec<_>>().join(", "))
        }
        Step::GitClone { url, path, .. } => format!("git clone {} to {path}", without_credentials(url)),
        Step::Workdir { path } => format!("workdir {path}"),
        Step::User { user } => format!("user {user}"),
        Step::Remove { path, .. } => format!("remove {path}"),
        Step::Rename { src, dst, .. } => format!("rename {src} to {dst}"),
        Step::MakeDir { path, .. } => format!("make directory {path}"),
        Step::MakeSymlink { target, path } => format!("link {path} to {target}"),
    };
    /// Enough to recognise a step by; a heredoc would fill the log.
    const SHOWN_MAX: usize = 200;
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && line.chars().count() <= SHOWN_MAX {
        return text;
    }
    format!("{} …", line.chars().take(SHOWN_MAX).collect::<String>())
}

/// A clone URL may carry a token.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host_end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..host_end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &rest[host_end..])
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
