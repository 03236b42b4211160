//! How a template's machine behaves once it runs: part of the artifact's identity, because the warm
//! profile is made by running it.

use crate::readiness::Readiness;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Start command, readiness, and what every command inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// Run by the guest's shell before the snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_cmd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Readiness>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub default_envs: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_workdir: Option<String>,
}
