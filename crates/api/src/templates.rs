//! Templates, tags and aliases (spec templates §2, §4).

use crate::{Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

/// A template as lists, lookups and finished builds show it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateInfo {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub tags: Vec<String>,
    pub default_tag: Option<String>,
    #[serde(default)]
    pub builtin: bool,
    /// `namespace/name`, without a tag.
    pub canonical_ref: Option<String>,
    pub namespace_slug: Option<String>,
    pub visibility: Option<Visibility>,
    pub runtime_defaults: Option<RuntimeDefaults>,
}

/// Who may use a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    Private,
    Public,
}

/// How a template's machines behave once they run. Values of environment variables are not shown.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuntimeDefaults {
    #[serde(default)]
    pub default_env_keys: Vec<String>,
    pub start_cmd: Option<String>,
    pub default_user: Option<String>,
    pub default_workdir: Option<String>,
    /// The probe as it was given (spec templates §7.4).
    pub readiness: Option<Object>,
}

/// A tag and the build it points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TagInfo {
    pub tag: String,
    pub build_id: String,
    pub created_at: Timestamp,
}

/// Assigns every tag to the build that the ref in the path resolves to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssignTags {
    pub tags: Vec<String>,
}
