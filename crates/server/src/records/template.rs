//! A logical template, its tags, and what callers see of both (spec templates §2.1).

use nullspace_domain::runtime::RuntimeConfig;
use nullspace_domain::{BuildId, TemplateId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// The namespace of builtin templates.
pub const SYSTEM_NAMESPACE: &str = "nullspace";
/// The tag a build gets when nobody names one, and the one a ref without a tag means first.
pub const DEFAULT_TAG: &str = "default";

/// A name that builds are made for. `namespace/name` is unique among those not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub id: TemplateId,
    /// None for builtins: they belong to the system and everybody may use them.
    pub tenant: Option<TenantId>,
    pub namespace: String,
    pub name: String,
    pub description: String,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

impl Template {
    pub fn is_builtin(&self) -> bool {
        self.tenant.is_none()
    }

    /// `namespace/name`, without a tag.
    pub fn canonical_ref(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// A name for one ready build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub tag: String,
    pub build: BuildId,
    /// When it was last moved.
    pub assigned_at: Timestamp,
}

/// What a caller sees of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateInfo {
    pub id: TemplateId,
    pub namespace: String,
    pub name: String,
    pub description: String,
    pub builtin: bool,
    pub canonical_ref: String,
    pub tags: Vec<String>,
    /// The tag that a ref without one means; none while nothing is tagged.
    pub default_tag: Option<String>,
    /// Of the build that the ref resolves to; none before the first one is ready.
    pub runtime: Option<RuntimeConfig>,
    pub created_at: Timestamp,
}
