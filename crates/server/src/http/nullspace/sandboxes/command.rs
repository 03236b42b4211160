//! A command as the agent takes it: what the caller said, over what the sandbox has.

use crate::engine::GuestDefaults;
use crate::http::limits::{EXEC_TIMEOUT_DEFAULT, EXEC_TIMEOUT_MAX};
use crate::http::nullspace::Error;
use nullspace_domain::limits::{ENV_BYTES_MAX, ENVS_MAX};
use nullspace_guest::protocol;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a caller said about a command, over HTTP or the socket.
#[derive(Debug, Default)]
pub struct Asked {
    pub command: String,
    pub args: Vec<String>,
    pub cwd: Option<String>,
    pub envs: BTreeMap<String, String>,
    pub shell: bool,
    pub timeout_secs: Option<u64>,
}

/// The timeout that was asked for; none means never.
pub fn timeout(asked: &Asked) -> Result<Option<Duration>, Error> {
    match asked.timeout_secs.map(Duration::from_secs) {
        None => Ok(Some(EXEC_TIMEOUT_DEFAULT)),
        Some(Duration::ZERO) => Ok(None),
        Some(timeout) if timeout <= EXEC_TIMEOUT_MAX => Ok(Some(timeout)),
        Some(_) => {
            let max = EXEC_TIMEOUT_MAX.as_secs();
            Err(Error::invalid("timeout_secs", format!("`timeout_secs` is 0 (never) to {max}")))
        }
    }
}

/// Checks a command and fills in what the sandbox has.
pub fn compose(asked: Asked, defaults: &GuestDefaults) -> Result<protocol::Exec, Error> {
    if asked.command.trim().is_empty() {
        return Err(Error::invalid("command", "`command` is empty"));
    }
    if asked.shell && !asked.args.is_empty() {
        return Err(Error::invalid("args", "`args` and `shell` exclude each other: the shell takes one text"));
    }
    if let Some(field) = with_nul(&asked) {
        return Err(Error::invalid(field, format!("`{field}` holds a NUL character")));
    }
    let env_bytes: usize = asked.envs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if asked.envs.len() > ENVS_MAX || env_bytes > ENV_BYTES_MAX {
        let message = format!("`envs` has more than {ENVS_MAX} variables or {ENV_BYTES_MAX} bytes");
        return Err(Error::invalid("envs", message));
    }
    if asked.envs.keys().any(|name| name.is_empty() || name.contains('=')) {
        return Err(Error::invalid("envs", "a name in `envs` is empty or holds `=`"));
    }
    let timeout = timeout(&asked)?;
    let mut envs = defaults.envs.clone();
    envs.extend(asked.envs);
    Ok(protocol::Exec {
        command: asked.command,
        args: asked.args,
        shell: asked.shell,
        envs,
        cwd: Some(absolute(asked.cwd.as_deref(), &defaults.cwd)),
        user: defaults.user.clone(),
        timeout_ms: timeout.map_or(0, |timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        background: false,
        attach: false,
        stdin: false,
    })
}

/// A path under the sandbox's own directory unless it is absolute.
pub fn absolute(path: Option<&str>, cwd: &str) -> String {
    match path {
        None | Some("") => cwd.to_owned(),
        Some(path) if path.starts_with('/') => path.to_owned(),
        Some(path) => format!("{}/{path}", cwd.trim_end_matches('/')),
    }
}

fn with_nul(asked: &Asked) -> Option<&'static str> {
    let nul = |text: &str| text.contains('\0');
    if nul(&asked.command) {
        Some("command")
    } else if asked.args.iter().any(|arg| nul(arg)) {
        Some("args")
    } else if asked.cwd.as_deref().is_some_and(nul) {
        Some("cwd")
    } else if asked.envs.iter().any(|(name, value)| nul(name) || nul(value)) {
        Some("envs")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> GuestDefaults {
        GuestDefaults {
            envs: BTreeMap::from([("A".into(), "template".into()), ("B".into(), "template".into())]),
            cwd: "/workspace".into(),
            user: Some("app".into()),
        }
    }

    #[test]
    fn what_the_caller_says_wins_over_what_the_sandbox_has() {
        let asked = Asked {
            command: "env".into(),
            cwd: Some("sub".into()),
            envs: BTreeMap::from([("B".into(), "mine".into())]),
            ..Asked::default()
        };
        let exec = compose(asked, &defaults()).unwrap();
        assert_eq!(exec.cwd.as_deref(), Some("/workspace/sub"));
        assert_eq!((exec.envs["A"].as_str(), exec.envs["B"].as_str()), ("template", "mine"));
        assert_eq!((exec.user.as_deref(), exec.timeout_ms), (Some("app"), 30_000));
    }

    #[test]
    fn a_command_that_cannot_be_names_its_field() {
        let field = |asked: Asked| match compose(asked, &defaults()) {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let command = || "true".to_owned();
        assert_eq!(field(Asked { command: " ".into(), ..Asked::default() }), "command");
        assert_eq!(
            field(Asked { command: command(), args: vec!["a".into()], shell: true, ..Asked::default() }),
            "args"
        );
        assert_eq!(field(Asked { command: command(), cwd: Some("\0".into()), ..Asked::default() }), "cwd");
        assert_eq!(
            field(Asked { command: command(), timeout_secs: Some(u64::MAX), ..Asked::default() }),
            "timeout_secs"
        );
        let envs = BTreeMap::from([("a=b".to_owned(), String::new())]);
        assert_eq!(field(Asked { command: command(), envs, ..Asked::default() }), "envs");
    }
}
