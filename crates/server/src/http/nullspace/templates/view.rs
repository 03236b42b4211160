//! Templates as clients see them.

use crate::records;
use nullspace_api::Object;
use nullspace_api::templates::{RuntimeDefaults, TagInfo, TemplateInfo, Visibility};
use nullspace_domain::runtime::RuntimeConfig;
use serde_json::Value;

/// Every field a template can have, for projection.
pub const FIELDS: &[&str] = &[
    "id",
    "name",
    "description",
    "tags",
    "default_tag",
    "builtin",
    "canonical_ref",
    "namespace_slug",
    "visibility",
    "runtime_defaults",
];

pub fn template(info: &records::TemplateInfo) -> TemplateInfo {
    TemplateInfo {
        id: info.id.to_string(),
        name: info.name.clone(),
        description: info.description.clone(),
        tags: info.tags.clone(),
        default_tag: info.default_tag.clone(),
        builtin: info.builtin,
        canonical_ref: Some(info.canonical_ref.clone()),
        namespace_slug: Some(info.namespace.clone()),
        visibility: Some(if info.builtin { Visibility::Public } else { Visibility::Private }),
        runtime_defaults: info.runtime.as_ref().map(runtime_defaults),
    }
}

/// Names of environment variables are shown, values never.
pub fn runtime_defaults(runtime: &RuntimeConfig) -> RuntimeDefaults {
    let probe = |readiness| match serde_json::to_value(readiness).expect("a probe is plain JSON") {
        Value::Object(probe) => probe,
        _ => Object::new(),
    };
    RuntimeDefaults {
        default_env_keys: runtime.default_envs.keys().cloned().collect(),
        start_cmd: runtime.start_cmd.clone(),
        default_user: runtime.default_user.clone(),
        default_workdir: runtime.default_workdir.clone(),
        readiness: runtime.readiness.as_ref().map(probe),
    }
}

pub fn tag(tag: &records::Tag) -> TagInfo {
    TagInfo { tag: tag.tag.clone(), build_id: tag.build.to_string(), created_at: tag.assigned_at }
}
