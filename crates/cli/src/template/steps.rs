//! From ordered flags to the steps of a template. A flag that refines a step must follow it.

use super::ordered::{Given, Ordered};
use crate::failure::Failure;
use crate::parse;
use nullspace_api::Object;
use serde_json::{Value, json};

/// Local files to copy to one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Copy {
    pub sources: Vec<String>,
    pub destination: Option<String>,
    /// `user`, `mode`, `force_upload`, as the step has them.
    pub options: Object,
}

/// A step; the sources of copies get their context paths later.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Plain(Object),
    Copy(Copy),
    CopyItems(Vec<Copy>),
}

/// What the ordered flags say.
#[derive(Debug, Default)]
pub struct Steps {
    pub steps: Vec<Step>,
    pub workdir: Option<String>,
    pub user: Option<String>,
}

impl Steps {
    pub fn read(ordered: &Ordered) -> Result<Self, Failure> {
        let mut read = Self::default();
        for given in &ordered.0 {
            read.take(given)?;
        }
        read.check()?;
        Ok(read)
    }

    fn take(&mut self, given: &Given) -> Result<(), Failure> {
        let Given { flag, value } = given;
        let on = value != "false";
        match *flag {
            "set-workdir" => {
                self.workdir = Some(value.clone());
                self.plain(json!({"action": "workdir", "path": value}));
            }
            "set-user" => {
                self.user = Some(value.clone());
                self.plain(json!({"action": "user", "user": value}));
            }
            "run-cmd" => self.plain(json!({"action": "run", "command": value})),
            "run-user" => self.refine(flag, "run", "user", value.as_str().into())?,
            "apt-install" => self.plain(json!({"action": "apt_install", "packages": packages(flag, value)?})),
            "pip-install" => self.plain(json!({"action": "pip_install", "packages": packages(flag, value)?})),
            "pip-user-install" => self.refine(flag, "pip_install", "g", (!on).into())?,
            "npm-install" => self.plain(json!({"action": "npm_install", "packages": packages(flag, value)?})),
            "npm-global" => self.refine(flag, "npm_install", "g", on.into())?,
            "bun-install" => self.plain(json!({"action": "bun_install", "packages": packages(flag, value)?})),
            "bun-global" => self.refine(flag, "bun_install", "g", on.into())?,
            "git-clone" => self.plain(json!({"action": "git_clone", "url": value, "path": "/workspace"})),
            "git-path" => self.refine(flag, "git_clone", "path", value.as_str().into())?,
            "git-branch" => self.refine(flag, "git_clone", "branch", value.as_str().into())?,
            "git-depth" => {
                let depth: u32 = value.parse().map_err(|_| Failure::usage("--git-depth", "expected a number"))?;
                self.refine(flag, "git_clone", "depth", depth.into())?;
            }
            "copy-src" => self.copy_source(value),
            "copy-dst" => self.open_copy(flag)?.destination = Some(value.clone()),
            "copy-user" => self.copy_option(flag, "user", value.as_str().into())?,
            "copy-mode" => self.copy_option(flag, "mode", octal(flag, value)?.into())?,
            "copy-force-upload" => self.copy_option(flag, "force_upload", on.into())?,
            "copy-items" => self.steps.push(Step::CopyItems(items(value)?)),
            "remove" => self.plain(json!({"action": "remove", "path": value, "recursive": false, "force": false})),
            "remove-recursive" => self.refine(flag, "remove", "recursive", on.into())?,
            "remove-force" => self.refine(flag, "remove", "force", on.into())?,
            "rename-src" => self.plain(json!({"action": "rename", "src": value, "force": false})),
            "rename-dst" => self.refine(flag, "rename", "dst", value.as_str().into())?,
            "rename-force" => self.refine(flag, "rename", "force", on.into())?,
            "make-dir" => self.plain(json!({"action": "make_dir", "path": value})),
            "make-dir-mode" => self.refine(flag, "make_dir", "mode", octal(flag, value)?.into())?,
            "make-symlink-target" => self.plain(json!({"action": "make_symlink", "target": value})),
            "make-symlink-path" => self.refine(flag, "make_symlink", "path", value.as_str().into())?,
            "step-skip-cache" => self.plain(json!({"action": "skip_cache"})),
            // Ordered beside the steps, but read on their own.
            "set-build-env" | "set-runtime-env" | "tag" | "file-ignore" => {}
            other => unreachable!("`--{other}` has no meaning"),
        }
        Ok(())
    }

    fn plain(&mut self, step: Value) {
        match step {
            Value::Object(step) => self.steps.push(Step::Plain(step)),
            other => unreachable!("a step is an object, not {other}"),
        }
    }

    /// Adds to the last step, which must be of the right kind.
    fn refine(&mut self, flag: &str, action: &str, key: &str, value: Value) -> Result<(), Failure> {
        match self.steps.last_mut() {
            Some(Step::Plain(step)) if step.get("action") == Some(&Value::from(action)) => {
                step.insert(key.to_owned(), value);
                Ok(())
            }
            _ => Err(Failure::usage(format!("--{flag}"), format!("must follow the `{action}` step it belongs to"))),
        }
    }

    /// Sources add up until their destination is known; the next one after that starts another copy.
    fn copy_source(&mut self, source: &str) {
        match self.steps.last_mut() {
            Some(Step::Copy(copy)) if copy.destination.is_none() => copy.sources.push(source.to_owned()),
            _ => self.steps.push(Step::Copy(Copy { sources: vec![source.to_owned()], ..Copy::default() })),
        }
    }

    fn open_copy(&mut self, flag: &str) -> Result<&mut Copy, Failure> {
        match self.steps.last_mut() {
            Some(Step::Copy(copy)) => Ok(copy),
            _ => Err(Failure::usage(format!("--{flag}"), "must follow --copy-src")),
        }
    }

    fn copy_option(&mut self, flag: &str, key: &str, value: Value) -> Result<(), Failure> {
        self.open_copy(flag)?.options.insert(key.to_owned(), value);
        Ok(())
    }

    /// Steps that take two flags have both.
    fn check(&self) -> Result<(), Failure> {
        for step in &self.steps {
            let missing = match step {
                Step::Copy(copy) if copy.destination.is_none() => Some(("--copy-src", "--copy-dst")),
                Step::Plain(step) => match step.get("action").and_then(Value::as_str) {
                    Some("rename") if !step.contains_key("dst") => Some(("--rename-src", "--rename-dst")),
                    Some("make_symlink") if !step.contains_key("path") => {
                        Some(("--make-symlink-target", "--make-symlink-path"))
                    }
                    _ => None,
                },
                Step::Copy(_) | Step::CopyItems(_) => None,
            };
            if let Some((flag, needed)) = missing {
                return Err(Failure::usage(flag, format!("needs {needed} after it")));
            }
        }
        Ok(())
    }
}

/// Names separated by commas, or `@FILE` with a JSON list.
fn packages(flag: &str, value: &str) -> Result<Vec<String>, Failure> {
    if value.starts_with('@') || value.trim_start().starts_with('[') {
        let text = parse::text_or_file(value)?;
        return serde_json::from_str(&text)
            .map_err(|error| Failure::usage(format!("--{flag}"), format!("not a JSON list of names: {error}")));
    }
    let names: Vec<String> =
        value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() {
        return Err(Failure::usage(format!("--{flag}"), "names no package"));
    }
    Ok(names)
}

/// A mode as four octal digits.
fn octal(flag: &str, value: &str) -> Result<String, Failure> {
    match u32::from_str_radix(value.trim_start_matches("0o"), 8) {
        Ok(mode) if mode <= 0o7777 => Ok(format!("{mode:04o}")),
        _ => Err(Failure::usage(format!("--{flag}"), "expected octal digits, as 0755")),
    }
}

/// `[{"src": "a" or ["a", …], "dst": "…", "user"?, "mode"?, "force_upload"?}, …]`
fn items(value: &str) -> Result<Vec<Copy>, Failure> {
    let bad = |problem: String| Failure::usage("--copy-items", problem);
    let text = parse::text_or_file(value)?;
    let items: Vec<Object> = serde_json::from_str(&text).map_err(|error| bad(format!("not a JSON list: {error}")))?;
    items
        .into_iter()
        .map(|mut item| {
            let sources = match item.remove("src") {
                Some(Value::String(source)) => vec![source],
                Some(Value::Array(sources)) => sources.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            let Some(Value::String(destination)) = item.remove("dst") else {
                return Err(bad("each item needs a `dst`".to_owned()));
            };
            if sources.is_empty() {
                return Err(bad("each item needs a `src`".to_owned()));
            }
            if let Some(mode) = item.get("mode").and_then(Value::as_str).map(str::to_owned) {
                item.insert("mode".to_owned(), octal("copy-items", &mode)?.into());
            }
            item.retain(|key, _| matches!(key.as_str(), "user" | "mode" | "force_upload"));
            Ok(Copy { sources, destination: Some(destination), options: item })
        })
        .collect()
}
