//! What a build would do, without doing it. Needs no registry.

use super::{BuildRequest, Caller, Engine, Error};

/// Whether a request could be built, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validation {
    /// `field: message`; empty when valid.
    pub errors: Vec<ValidationError>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationError {
    pub code: String,
    pub message: String,
}

/// The normalised plan (spec templates §5.8).
#[derive(Debug, Clone)]
pub struct BuildPlan {
    /// The published `build_plan` object.
    pub plan: serde_json::Value,
    pub source_digest: String,
    pub context_digest: Option<String>,
    pub file_count: usize,
    pub warnings: Vec<String>,
}

impl Engine {
    pub async fn validate_build(&self, _caller: &Caller, _request: BuildRequest) -> Result<Validation, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    pub async fn plan_build(&self, _caller: &Caller, _request: BuildRequest) -> Result<BuildPlan, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
