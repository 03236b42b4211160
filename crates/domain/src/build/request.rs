//! Reads a whole build request (spec templates §6), and reports every problem in it at once.

use super::config::BuildConfig;
use super::credentials::Credentials;
use super::definition::{Backend, Definition, Needs, Source};
use super::problem::{Fields, Problem, Problems};
use super::{context, runtime_config, step_rules};
use crate::ClaimToken;
use crate::limits::{DOCKERFILE_BYTES_MAX, PATH_MAX, TAGS_MAX};
use crate::name::{self, NamespaceSlug, Tag, TemplateName};
use serde_json::Value;

/// Longest image reference a registry takes, with room to spare.
const IMAGE_MAX: usize = 512;

/// A build request that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    pub definition: Definition,
    pub credentials: Credentials,
    /// What is legal and probably not meant.
    pub warnings: Vec<String>,
}

impl BuildRequest {
    /// Takes the body of build, builds, validate or plan.
    pub fn parse(raw: &Value) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let request = Fields::of("", raw, &mut problems).and_then(|fields| Self::read(&fields, &mut problems));
        match request {
            Some(request) if problems.is_empty() => Ok(request),
            _ => Err(problems.into_vec()),
        }
    }

    fn read(fields: &Fields<'_>, problems: &mut Problems) -> Option<Self> {
        let (namespace, name, tag_in_name) = template_name(fields, problems);
        let tags = tags(fields, problems);
        if tag_in_name.is_some() && tags.is_some() {
            problems.add("name", "has a tag, and `tags` is given too");
        }
        let tags = tags.or(tag_in_name.map(|tag| vec![tag])).unwrap_or_else(|| vec![Tag::default_tag()]);
        let build_envs = fields.texts("build_envs", problems);
        problems.keep(name::envs("build_envs", &build_envs));
        let runtime = runtime_config::read(fields, problems);
        let config = BuildConfig::read(fields, problems);
        let context = context::read(fields, problems);
        let credentials = Credentials::read(fields, problems);
        let skip_cache = fields.flag("skip_cache", problems).unwrap_or(false);
        let claim = fields.text("claim_token", problems);
        let claim_token = claim.and_then(|text| {
            ClaimToken::parse(text).map_err(|error| problems.add("claim_token", format!("is wrong: {error}"))).ok()
        });
        let source = source(fields, problems);
        let backend = backend(fields, source.as_ref(), &credentials, problems);
        // Last, so that they end the list of problems with what follows from the others.
        let source = source?;
        if let Source::Declarative { steps, .. } = &source {
            context::sources_exist(steps, &context, problems);
        }
        let needs = Needs::of(&credentials);
        let mut warnings = Vec::new();
        if runtime.readiness.is_some() && runtime.start_cmd.is_none() {
            warnings.push("`runtime_config.readiness` is checked although there is no `start_cmd`".to_owned());
        }
        let definition = Definition {
            namespace,
            name,
            tags,
            source,
            backend: backend?,
            context,
            build_envs,
            runtime,
            config,
            skip_cache,
            claim_token,
            needs,
        };
        Some(Self { definition, credentials, warnings })
    }
}

type NameParts = (Option<NamespaceSlug>, Option<TemplateName>, Option<Tag>);

/// `name`, `namespace/name`, and either with a tag.
fn template_name(fields: &Fields<'_>, problems: &mut Problems) -> NameParts {
    let Some(text) = fields.text("name", problems) else { return (None, None, None) };
    let (path, tag) = match text.split_once(':') {
        Some((path, tag)) => (path, problems.keep(Tag::parse_field("name", tag))),
        None => (text, None),
    };
    let (namespace, name) = match path.split_once('/') {
        Some((slug, name)) => (problems.keep(NamespaceSlug::parse_own("name", slug)), name),
        None => (None, path),
    };
    (namespace, problems.keep(TemplateName::parse_field("name", name)), tag)
}

/// None means that there was no list; an empty one is a problem.
pub(super) fn tags(fields: &Fields<'_>, problems: &mut Problems) -> Option<Vec<Tag>> {
    let items = fields.list("tags", TAGS_MAX, problems)?;
    if items.is_empty() {
        problems.add("tags", "must not be empty: leave it out for `default`");
    }
    let mut tags: Vec<Tag> = Vec::new();
    for (path, item) in items {
        let Some(text) = item.as_str() else {
            problems.add(path, "must be a string");
            continue;
        };
        let tag = problems.keep(Tag::parse_field(&path, text));
        tags.extend(tag.filter(|tag| !tags.contains(tag)));
    }
    Some(tags)
}

fn source(fields: &Fields<'_>, problems: &mut Problems) -> Option<Source> {
    if !fields.has("dockerfile") {
        for field in ["dockerfile_path", "build_args", "build_target"] {
            if fields.has(field) {
                problems.add(field, "is only for a build with a `dockerfile`");
            }
        }
        let steps = step_rules::read(fields, problems);
        let base_image = base_image(fields, problems)?;
        return Some(Source::Declarative { base_image, steps });
    }
    for field in ["base_image", "steps"] {
        if fields.has(field) {
            problems.add(field, "and `dockerfile` exclude each other");
        }
    }
    let text = fields.text("dockerfile", problems)?;
    if text.trim().is_empty() || text.len() > DOCKERFILE_BYTES_MAX {
        problems.add("dockerfile", format!("must be 1 to {DOCKERFILE_BYTES_MAX} bytes"));
    }
    let build_args = fields.texts("build_args", problems);
    problems.keep(name::envs("build_args", &build_args));
    let mut short = |key: &str| {
        let text = fields.text(key, problems)?;
        if text.is_empty() || text.len() > PATH_MAX || text.chars().any(char::is_control) {
            problems.add(key, format!("must be 1 to {PATH_MAX} bytes without control characters"));
        }
        Some(text.to_owned())
    };
    let (path, target) = (short("dockerfile_path"), short("build_target"));
    Some(Source::Dockerfile { text: text.to_owned(), path, build_args, target })
}

fn base_image(fields: &Fields<'_>, problems: &mut Problems) -> Option<String> {
    let Some(text) = fields.text("base_image", problems) else {
        if !fields.has("base_image") {
            problems.add("base_image", "is missing: name an image or a template, or send a `dockerfile`");
        }
        return None;
    };
    let legal = |c: char| c.is_ascii_graphic();
    if text.is_empty() || text.len() > IMAGE_MAX || text.starts_with('-') || !text.chars().all(legal) {
        problems.add("base_image", format!("must be an image or a template ref of 1 to {IMAGE_MAX} characters"));
    }
    Some(text.to_owned())
}

fn backend(
    fields: &Fields<'_>,
    source: Option<&Source>,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Option<Backend> {
    let is_dockerfile = fields.has("dockerfile") || matches!(source, Some(Source::Dockerfile { .. }));
    let backend = match fields.text("build_backend", problems) {
        None if is_dockerfile => Backend::Buildkit,
        None | Some("native") => Backend::Native,
        Some("buildkit") => Backend::Buildkit,
        Some(_) => {
            problems.add("build_backend", "must be `native` or `buildkit`");
            return None;
        }
    };
    if backend == Backend::Native && is_dockerfile {
        problems.add("build_backend", "`native` does not build a `dockerfile`: use `buildkit`");
    }
    if backend == Backend::Native && !credentials.build_secrets.is_empty() {
        problems.add("build_secrets", "is only for builds with a `dockerfile`");
    }
    Some(backend)
}
