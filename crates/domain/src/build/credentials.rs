//! What a build may know and nobody else: never written, never logged, gone when the build ends.

use super::problem::{Fields, Problems};
use crate::limits::SECRETS_MAX;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// A text that shows itself to nobody by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for handing on, not for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How to log in to a registry (spec templates §7.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryAuth {
    Basic {
        username: String,
        password: Secret,
    },
    /// The account's key as JSON text.
    GcpArtifactRegistry {
        service_account_json: Secret,
    },
    AwsEcr {
        access_key_id: String,
        secret_access_key: Secret,
        region: String,
        session_token: Option<Secret>,
    },
}

/// A value that Dockerfile steps may mount (spec templates §7.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    pub id: String,
    pub value: Secret,
}

/// Everything of a request that is not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    pub base_image_auth: Option<RegistryAuth>,
    /// By registry host.
    pub registry_auth: Vec<(String, RegistryAuth)>,
    pub build_secrets: Vec<BuildSecret>,
}

impl Credentials {
    pub(super) fn read(request: &Fields<'_>, problems: &mut Problems) -> Self {
        let base_image_auth = request.object("base_image_auth", problems).and_then(|fields| auth(&fields, problems));
        let mut registry_auth = Vec::new();
        for (path, item) in request.list("registry_auth", SECRETS_MAX, problems).unwrap_or_default() {
            let Some(fields) = Fields::of(path, item, problems) else { continue };
            let host = required(&fields, "registry", problems);
            let auth = fields.object("auth", problems).and_then(|fields| auth(&fields, problems));
            if !fields.has("auth") {
                problems.add(fields.path("auth"), "is missing");
            }
            registry_auth.extend(host.map(str::to_owned).zip(auth));
        }
        Self { base_image_auth, registry_auth, build_secrets: secrets(request, problems) }
    }
}

fn auth(fields: &Fields<'_>, problems: &mut Problems) -> Option<RegistryAuth> {
    match fields.text("kind", problems).unwrap_or_default() {
        "basic" => {
            let username = required(fields, "username", problems);
            let password = required(fields, "password", problems);
            Some(RegistryAuth::Basic { username: username?.to_owned(), password: Secret::new(password?) })
        }
        "gcp_artifact_registry" => {
            let key = "service_account_json";
            let text = match fields.any(key) {
                Some(Value::String(text)) => text.clone(),
                Some(object @ Value::Object(_)) => object.to_string(),
                _ => {
                    problems.add(fields.path(key), "must be the service account's key, an object or a string");
                    return None;
                }
            };
            Some(RegistryAuth::GcpArtifactRegistry { service_account_json: Secret::new(text) })
        }
        "aws_ecr" => {
            let access_key_id = required(fields, "access_key_id", problems);
            let secret_access_key = required(fields, "secret_access_key", problems);
            let region = required(fields, "region", problems);
            Some(RegistryAuth::AwsEcr {
                access_key_id: access_key_id?.to_owned(),
                secret_access_key: Secret::new(secret_access_key?),
                region: region?.to_owned(),
                session_token: fields.text("session_token", problems).map(Secret::new),
            })
        }
        _ => {
            problems.add(fields.path("kind"), "must be `basic`, `gcp_artifact_registry` or `aws_ecr`");
            None
        }
    }
}

fn secrets(request: &Fields<'_>, problems: &mut Problems) -> Vec<BuildSecret> {
    let mut secrets = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, item) in request.list("build_secrets", SECRETS_MAX, problems).unwrap_or_default() {
        let Some(fields) = Fields::of(path, item, problems) else { continue };
        let id = required(&fields, "id", problems);
        let value = fields.text("value", problems);
        if !fields.has("value") {
            problems.add(fields.path("value"), "is missing");
        }
        if fields.text("source", problems).is_some_and(|source| !matches!(source, "value" | "env" | "file")) {
            problems.add(fields.path("source"), "must be `value`, `env` or `file`");
        }
        let (Some(id), Some(value)) = (id, value) else { continue };
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if id.len() > 128 || !id.bytes().all(legal) {
            problems.add(fields.path("id"), "must be 1 to 128 letters, digits, `.`, `_` or `-`");
        } else if !seen.insert(id) {
            problems.add(fields.path("id"), format!("`{id}` is used twice"));
        }
        secrets.push(BuildSecret { id: id.to_owned(), value: Secret::new(value) });
    }
    secrets
}

fn required<'a>(fields: &Fields<'a>, key: &str, problems: &mut Problems) -> Option<&'a str> {
    let text = fields.text(key, problems);
    if text.is_none_or(str::is_empty) && (text.is_some() || !fields.has(key)) {
        problems.add(fields.path(key), "is missing or empty");
        return None;
    }
    text
}
