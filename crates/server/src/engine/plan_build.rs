//! What a build would do, without doing it. Needs no registry.

use super::start_build::first_problem;
use super::{Caller, Engine, Error};
use nullspace_domain::build::{Backend, BuildRequest, Problem, plan_json};

/// Whether a request could be built, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validation {
    /// Empty when valid.
    pub errors: Vec<Problem>,
    pub warnings: Vec<String>,
}

/// The normalised plan (spec templates §5.8).
#[derive(Debug, Clone)]
pub struct BuildPlan {
    /// The published `build_plan` object.
    pub plan: serde_json::Value,
    pub backend: Backend,
    pub source_type: &'static str,
    pub source_digest: String,
    pub dockerfile_digest: Option<String>,
    pub context_digest: Option<String>,
    pub file_count: usize,
    pub requires_base_image_auth: bool,
    pub warnings: Vec<String>,
}

impl Engine {
    /// Every problem at once. `body` is the published request (spec templates §6).
    pub async fn validate_build(&self, _caller: &Caller, body: &serde_json::Value) -> Result<Validation, Error> {
        Ok(match BuildRequest::parse(body) {
            Ok(request) => Validation { errors: Vec::new(), warnings: request.warnings },
            Err(errors) => Validation { errors, warnings: Vec::new() },
        })
    }

    pub async fn plan_build(&self, _caller: &Caller, body: &serde_json::Value) -> Result<BuildPlan, Error> {
        let BuildRequest { definition, warnings, .. } = BuildRequest::parse(body).map_err(first_problem)?;
        Ok(BuildPlan {
            plan: plan_json(&definition),
            backend: definition.backend,
            source_type: definition.source_type(),
            source_digest: definition.source_digest(),
            dockerfile_digest: definition.dockerfile_digest(),
            context_digest: definition.context_digest(|blob| super::blobs::BlobId::parse(blob).map(|blob| blob.sha256)),
            file_count: definition.context.len(),
            requires_base_image_auth: definition.needs.base_image_auth,
            warnings,
        })
    }
}
