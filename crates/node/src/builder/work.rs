//! What a step comes down to: work for the agent in the build machine, decided before anything runs.
//!
//! A `Work` is everything that influences the result of its step and nothing else: it is what the
//! step's cache key is made from. Host paths are therefore not part of its serialised form.

use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One step, rendered. Paths are absolute, modes are numbers, users are explicit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// A process; anything but exit code 0 fails the step.
    Command(Command),
    /// Files of the build context.
    Copy {
        copies: Vec<Copy>,
    },
    /// Parents are created; an existing directory is fine.
    MakeDir {
        path: String,
        mode: Option<u32>,
        user: Option<String>,
    },
    /// Later steps run as this user, who has to exist.
    CheckUser {
        user: String,
    },
    Remove {
        path: String,
        recursive: bool,
        force: bool,
        user: Option<String>,
    },
    /// As `mv`: into `to` if that is a directory, else in its place.
    Rename {
        from: String,
        to: String,
        force: bool,
        user: Option<String>,
    },
    /// Later steps use no cached layer.
    CacheBoundary,
}

/// A process of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command {
    pub program: Program,
    /// Below the build's own envs.
    pub envs: BTreeMap<String, String>,
    pub cwd: String,
    /// None means root.
    pub user: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// Run by the guest's `/bin/sh -c`.
    Shell(String),
    /// Run as it is; the first is the program.
    Direct(Vec<String>),
}

/// One copy item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copy {
    pub target: Target,
    /// `user[:group]` by name or number; none means root.
    pub owner: Option<String>,
    pub entries: Vec<Entry>,
}

/// Where a copy lands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Entries land below this directory.
    Into(String),
    /// The single file takes this path, or goes into it if it turns out to be a directory.
    At(String),
}

/// One file or directory of a copy, named relative to its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub path: String,
    pub mode: u32,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Dir,
    File {
        sha256: String,
        /// Where the bytes are on this host: not part of what the step is.
        #[serde(skip)]
        source: PathBuf,
    },
}

/// What earlier steps set for later ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub cwd: String,
    pub user: Option<String>,
}
