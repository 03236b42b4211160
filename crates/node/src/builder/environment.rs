//! What a template's commands inherit: the image's defaults below the user's settings. Pure.

use super::work::Scope;
use nullspace_domain::readiness::Readiness;
use nullspace_domain::runtime::RuntimeConfig;
use std::collections::BTreeMap;

/// What a base brings along, whether it is an image or another template's artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    pub envs: BTreeMap<String, String>,
    pub user: Option<String>,
    pub workdir: Option<String>,
    /// Entry point and arguments of an image.
    pub command: Vec<String>,
    /// Start command and readiness of a template.
    pub start_cmd: Option<String>,
    pub readiness: Option<Readiness>,
}

impl Defaults {
    /// Of another template.
    pub fn of_runtime(runtime: RuntimeConfig) -> Self {
        Self {
            envs: runtime.default_envs,
            user: runtime.default_user,
            workdir: runtime.default_workdir,
            command: Vec::new(),
            start_cmd: runtime.start_cmd,
            readiness: runtime.readiness,
        }
    }

    /// Where steps begin.
    pub fn scope(&self) -> Scope {
        Scope { cwd: self.workdir.clone().unwrap_or_else(|| "/".to_owned()), user: self.user.clone() }
    }

    /// What every step sees: the image's `PATH` and the rest, below the build's own envs.
    pub fn step_envs(&self, build_envs: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut envs = self.envs.clone();
        envs.extend(build_envs.iter().map(|(name, value)| (name.clone(), value.clone())));
        envs
    }

    /// The artifact's runtime: the job's wherever it says something.
    ///
    /// An image's own command runs only where a probe waits for a port and nothing else would open
    /// it. Without that, the `python3` of every Python image would be started, end at once for
    /// want of a terminal, and fail each build that only installs packages.
    pub fn runtime(self, asked: &RuntimeConfig) -> RuntimeConfig {
        let mut default_envs = self.envs;
        default_envs.extend(asked.default_envs.clone());
        let (start_cmd, readiness) = match (&asked.start_cmd, &asked.readiness) {
            (None, None) => (self.start_cmd, self.readiness),
            (None, Some(probe)) => {
                let waits_for_port = matches!(probe, Readiness::Tcp { .. } | Readiness::Http { .. });
                let own = (waits_for_port && !self.command.is_empty()).then(|| shell_line(&self.command));
                (self.start_cmd.or(own), Some(probe.clone()))
            }
            (Some(start), probe) => (Some(start.clone()), probe.clone()),
        };
        RuntimeConfig {
            start_cmd,
            readiness,
            default_envs,
            default_user: asked.default_user.clone().or(self.user),
            default_workdir: asked.default_workdir.clone().or(self.workdir),
        }
    }
}

/// Argument words as one line for a shell, which is replaced by the program.
fn shell_line(words: &[String]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    format!("exec {}", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nullspace_domain::readiness::Pace;

    fn image() -> Defaults {
        Defaults {
            envs: [("PATH", "/opt/bin:/bin"), ("LANG", "C.UTF-8")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            user: Some("app".to_owned()),
            workdir: Some("/srv".to_owned()),
            command: vec!["server".to_owned(), "it's".to_owned()],
            ..Defaults::default()
        }
    }

    #[test]
    fn the_image_gives_defaults_and_the_job_wins() {
        let asked = RuntimeConfig {
            default_envs: [("LANG".to_owned(), "de_DE.UTF-8".to_owned())].into(),
            default_workdir: Some("/workspace".to_owned()),
            ..RuntimeConfig::default()
        };
        let runtime = image().runtime(&asked);
        assert_eq!(runtime.default_envs["PATH"], "/opt/bin:/bin");
        assert_eq!(runtime.default_envs["LANG"], "de_DE.UTF-8");
        assert_eq!(runtime.default_user.as_deref(), Some("app"));
        assert_eq!(runtime.default_workdir.as_deref(), Some("/workspace"));
    }

    #[test]
    fn an_images_own_command_runs_only_for_a_probe_that_waits_for_a_port() {
        assert_eq!(image().runtime(&RuntimeConfig::default()).start_cmd, None);
        let probe = Readiness::Tcp { port: 80, pace: Pace::default() };
        let asked = RuntimeConfig { readiness: Some(probe), ..RuntimeConfig::default() };
        assert_eq!(image().runtime(&asked).start_cmd.as_deref(), Some(r"exec 'server' 'it'\''s'"));
        let own = RuntimeConfig { start_cmd: Some("mine".to_owned()), ..asked };
        assert_eq!(image().runtime(&own).start_cmd.as_deref(), Some("mine"));
    }

    #[test]
    fn a_template_built_on_another_keeps_starting_what_that_started() {
        let base = RuntimeConfig {
            start_cmd: Some("serve".to_owned()),
            readiness: Some(Readiness::Timeout { timeout_ms: 1 }),
            ..RuntimeConfig::default()
        };
        let runtime = Defaults::of_runtime(base.clone()).runtime(&RuntimeConfig::default());
        assert_eq!((runtime.start_cmd, runtime.readiness), (base.start_cmd, base.readiness));
    }
}
