//! What a build is asked for, and the context files it needs (spec templates §5.8, §5.9, §6, §7).

use crate::builds::{BuildBackend, SourceType};
use crate::{Object, Secret};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The body of `build`, `builds`, `validate` and `plan`.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildRequest {
    /// `name` or `namespace/name`; made up by the server when absent.
    pub name: Option<String>,
    /// Absent means `["default"]`.
    pub tags: Option<Vec<String>>,
    /// An image, or a template ref.
    pub base_image: Option<String>,
    /// Objects with an `action` each (spec templates §7.2).
    pub steps: Option<Vec<Object>>,
    pub dockerfile: Option<String>,
    pub dockerfile_path: Option<String>,
    pub build_context: Option<BuildContext>,
    pub build_envs: Option<BTreeMap<String, String>>,
    pub build_args: Option<BTreeMap<String, String>>,
    pub build_target: Option<String>,
    pub start_cmd: Option<String>,
    pub runtime_config: Option<RuntimeConfig>,
    pub base_image_auth: Option<RegistryAuth>,
    pub registry_auth: Option<Vec<RegistryLogin>>,
    pub build_secrets: Option<Vec<BuildSecret>>,
    pub build_config: Option<BuildConfig>,
    pub build_backend: Option<BuildBackend>,
    pub skip_cache: Option<bool>,
    pub claim_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildContext {
    pub files: Vec<ContextFile>,
}

/// A file or directory of the context. A file has `blob_id` (uploaded before) or `content_base64`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContextFile {
    pub path: String,
    pub entry_type: EntryType,
    /// Four octal digits.
    pub mode: Option<String>,
    pub blob_id: Option<String>,
    pub content_base64: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryType {
    File,
    Dir,
}

/// What every command of a template's machines inherits, and when they are ready.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuntimeConfig {
    pub default_user: Option<String>,
    pub default_workdir: Option<String>,
    pub default_envs: Option<BTreeMap<String, String>>,
    pub readiness: Option<Readiness>,
}

/// A readiness probe. Absent numbers are 30 s, 500 ms and 2 s.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Readiness {
    Tcp {
        port: u16,
        timeout_secs: Option<u64>,
        interval_ms: Option<u64>,
        startup_grace_secs: Option<u64>,
    },
    Http {
        port: u16,
        path: Option<String>,
        timeout_secs: Option<u64>,
        interval_ms: Option<u64>,
        startup_grace_secs: Option<u64>,
    },
    Command {
        command: String,
        timeout_secs: Option<u64>,
        interval_ms: Option<u64>,
        startup_grace_secs: Option<u64>,
    },
    Timeout {
        timeout_ms: u64,
    },
}

/// How to log in to the registry that holds the base image.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RegistryAuth {
    Basic {
        username: String,
        password: Secret,
    },
    GcpArtifactRegistry {
        #[schema(value_type = Object)]
        service_account_json: SecretJson,
    },
    AwsEcr {
        access_key_id: String,
        secret_access_key: Secret,
        region: String,
        session_token: Option<Secret>,
    },
}

/// JSON that must not show up in a log by accident.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretJson(pub serde_json::Value);

impl std::fmt::Debug for SecretJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegistryLogin {
    pub registry: String,
    pub auth: RegistryAuth,
}

/// A secret for Dockerfile builds; its value is never stored.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildSecret {
    pub id: String,
    pub value: Secret,
    pub source: Option<BuildSecretSource>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildSecretSource {
    Value,
    Env,
    File,
}

/// The machine a build runs in. The unit is `memory_mib` here and `memory_mb` everywhere else.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildConfig {
    pub vcpus: Option<u32>,
    pub memory_mib: Option<u32>,
    pub internet_access: Option<bool>,
    pub disk_mb: Option<u32>,
}

/// What a retry may bring again, because it was not stored.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RetryBuild {
    pub tags: Option<Vec<String>>,
    pub base_image_auth: Option<RegistryAuth>,
    pub registry_auth: Option<Vec<RegistryLogin>>,
    pub build_secrets: Option<Vec<BuildSecret>>,
}

/// Asks which context files have to be uploaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preflight {
    pub files: Vec<PreflightFile>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreflightFile {
    pub path: String,
    pub entry_type: EntryType,
    pub mode: Option<String>,
    /// Lower-case hex; files only.
    pub sha256: Option<String>,
    /// Files only.
    pub size_bytes: Option<u64>,
    pub force_upload: Option<bool>,
}

/// One answer for each file asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreflightAnswer {
    pub files: Vec<PreflightResult>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreflightResult {
    pub path: String,
    pub entry_type: EntryType,
    pub blob_id: Option<String>,
    pub missing: bool,
    pub mode: Option<String>,
}

/// Whether a build request would be accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Validation {
    pub valid: bool,
    #[serde(default)]
    pub errors: Vec<ValidationError>,
    #[serde(default)]
    pub warnings: Vec<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValidationError {
    pub code: String,
    pub message: String,
    pub phase: Option<String>,
}

/// The normalised plan of a build request.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanAnswer {
    pub build_plan: Object,
    pub requires_base_image_auth: bool,
    pub build_backend: Option<BuildBackend>,
    pub source_type: Option<SourceType>,
    pub source_digest: Option<String>,
    pub dockerfile_digest: Option<String>,
    pub warnings: Option<Vec<String>>,
    pub context_manifest: Option<ContextManifest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContextManifest {
    pub context_manifest_id: String,
    pub context_digest: String,
    pub file_count: u64,
}
