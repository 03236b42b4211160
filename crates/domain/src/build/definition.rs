//! What is kept of a build request: all that is needed to build it again, and no secret.

use super::config::BuildConfig;
use super::context::{Content, ContextEntry};
use super::credentials::Credentials;
use super::problem::{Fields, Problem, Problems};
use super::request::BuildRequest;
use super::step::Step;
use super::{digest, request};
use crate::ClaimToken;
use crate::name::{NamespaceSlug, Tag, TemplateName};
use crate::runtime::RuntimeConfig;
use crate::template_ref::TemplateRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A build request without its credentials. Serialises, and can be retried from what was serialised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// None means the caller's own.
    pub namespace: Option<NamespaceSlug>,
    /// None means that a name is to be made up.
    pub name: Option<TemplateName>,
    /// Never empty.
    pub tags: Vec<Tag>,
    pub source: Source,
    pub backend: Backend,
    pub context: Vec<ContextEntry>,
    /// Seen by every step, and gone afterwards.
    pub build_envs: BTreeMap<String, String>,
    pub runtime: RuntimeConfig,
    pub config: BuildConfig,
    pub skip_cache: bool,
    pub claim_token: Option<ClaimToken>,
    /// What the request brought along that is not in here.
    pub needs: Needs,
}

/// What a build starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    Declarative { base_image: String, steps: Vec<Step> },
    Dockerfile { text: String, path: Option<String>, build_args: BTreeMap<String, String>, target: Option<String> },
}

/// What `base_image` may mean: clients send images and templates in the same field (spec templates §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// A template for certain.
    Template(TemplateRef),
    /// A template if one of this ref is visible, else an image.
    TemplateOrImage(TemplateRef),
    /// No template could be called that.
    Image,
}

impl Base {
    pub fn of(base_image: &str) -> Self {
        let Ok(template) = TemplateRef::parse(base_image) else { return Self::Image };
        let is_builtin = match &template {
            TemplateRef::Id(_) => true,
            TemplateRef::Named(named) => named.namespace.as_ref().is_some_and(NamespaceSlug::is_builtin),
        };
        match is_builtin || template.exact_build().is_some() {
            true => Self::Template(template),
            false => Self::TemplateOrImage(template),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    Native,
    Buildkit,
}

impl Backend {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Buildkit => "buildkit",
        }
    }
}

/// Which credentials a retry has to bring again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    pub base_image_auth: bool,
    pub registries: Vec<String>,
    pub secret_ids: Vec<String>,
}

impl Needs {
    pub(super) fn of(credentials: &Credentials) -> Self {
        Self {
            base_image_auth: credentials.base_image_auth.is_some(),
            registries: credentials.registry_auth.iter().map(|(host, _)| host.clone()).collect(),
            secret_ids: credentials.build_secrets.iter().map(|secret| secret.id.clone()).collect(),
        }
    }
}

/// The body of a retry (spec templates §5.6).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retry {
    pub tags: Option<Vec<Tag>>,
    pub credentials: Credentials,
}

impl Retry {
    pub fn parse(raw: &Value) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let parsed = Fields::of("", raw, &mut problems).map(|fields| Self {
            tags: request::tags(&fields, &mut problems),
            credentials: Credentials::read(&fields, &mut problems),
        });
        match parsed {
            Some(retry) if problems.is_empty() => Ok(retry),
            _ => Err(problems.into_vec()),
        }
    }
}

impl Definition {
    /// The steps of a declarative build; a Dockerfile has none of ours.
    pub fn steps(&self) -> &[Step] {
        match &self.source {
            Source::Declarative { steps, .. } => steps,
            Source::Dockerfile { .. } => &[],
        }
    }

    /// `declarative`, `template_base` or `dockerfile`, as far as the request alone tells.
    pub fn source_type(&self) -> &'static str {
        match &self.source {
            Source::Dockerfile { .. } => "dockerfile",
            Source::Declarative { base_image, .. } => match Base::of(base_image) {
                Base::Template(_) => "template_base",
                Base::TemplateOrImage(_) | Base::Image => "declarative",
            },
        }
    }

    /// The same build again, or what is missing for it.
    pub fn retry(&self, retry: Retry) -> Result<BuildRequest, Vec<Problem>> {
        let mut problems = Problems::default();
        let brought = Needs::of(&retry.credentials);
        if self.needs.base_image_auth && !brought.base_image_auth {
            problems.add("base_image_auth", "was used by this build and is not kept: send it again");
        }
        for host in self.needs.registries.iter().filter(|host| !brought.registries.contains(host)) {
            problems
                .add("registry_auth", format!("for `{host}` was used by this build and is not kept: send it again"));
        }
        for id in self.needs.secret_ids.iter().filter(|id| !brought.secret_ids.contains(id)) {
            problems.add("build_secrets", format!("had `{id}`, which is not kept: send it again"));
        }
        if self.context.iter().any(|entry| matches!(entry.content, Content::Inline { .. })) {
            problems.add("build_context", "was sent inline and is not kept: start a new build");
        }
        if !problems.is_empty() {
            return Err(problems.into_vec());
        }
        let tags = retry.tags.unwrap_or_else(|| self.tags.clone());
        let definition = Self { tags, needs: brought, ..self.clone() };
        Ok(BuildRequest { definition, credentials: retry.credentials, warnings: Vec::new() })
    }

    /// Equal for requests that ask for the same thing, whatever it is to be called.
    pub fn source_digest(&self) -> String {
        digest::canonical(&serde_json::json!({
            "source": self.source,
            "build_envs": self.build_envs,
            "runtime": self.runtime,
            "config": self.config,
        }))
    }

    /// Equal for equal files; none without files. `sha256_of` knows what blobs hold.
    pub fn context_digest(&self, sha256_of: impl Fn(&str) -> Option<String>) -> Option<String> {
        if self.context.is_empty() {
            return None;
        }
        let line = |entry: &ContextEntry| {
            let content = match &entry.content {
                Content::Directory => "directory".to_owned(),
                Content::Blob { id } => sha256_of(id).unwrap_or_else(|| format!("blob {id}")),
                Content::Inline { sha256, .. } => sha256.clone(),
            };
            // In order of paths: clients list them as they happen to find them.
            (entry.path.clone(), serde_json::json!([entry.mode, content]))
        };
        let lines: BTreeMap<String, Value> = self.context.iter().map(line).collect();
        Some(digest::canonical(&serde_json::json!(lines)))
    }

    /// Of the Dockerfile's text.
    pub fn dockerfile_digest(&self) -> Option<String> {
        match &self.source {
            Source::Dockerfile { text, .. } => Some(digest::sha256(text.as_bytes())),
            Source::Declarative { .. } => None,
        }
    }
}
