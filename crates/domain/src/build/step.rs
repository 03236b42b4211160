//! The steps of a declarative build, as on the wire (spec templates §7.2).

use serde::{Deserialize, Serialize};

/// One step. Fields it does not know are ignored, as everywhere in requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Step {
    AptInstall {
        packages: Vec<String>,
    },
    PipInstall {
        packages: Vec<String>,
        #[serde(default = "yes")]
        g: bool,
    },
    NpmInstall {
        packages: Vec<String>,
        #[serde(default)]
        g: bool,
    },
    BunInstall {
        packages: Vec<String>,
        #[serde(default)]
        g: bool,
    },
    Run {
        command: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    SkipCache,
    Copy(CopyItem),
    CopyItems {
        items: Vec<CopyItem>,
    },
    GitClone {
        url: String,
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        depth: Option<u32>,
    },
    Workdir {
        path: String,
    },
    User {
        user: String,
    },
    Remove {
        path: String,
        #[serde(default)]
        recursive: bool,
        #[serde(default)]
        force: bool,
    },
    Rename {
        src: String,
        dst: String,
        #[serde(default)]
        force: bool,
    },
    MakeDir {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<String>,
    },
    MakeSymlink {
        target: String,
        path: String,
    },
}

/// Context files and where they go. `sources` are context paths (spec templates §6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyItem {
    pub sources: Vec<String>,
    pub dst: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Four octal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub force_upload: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
