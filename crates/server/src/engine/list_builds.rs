//! A template's builds, newest first.

use super::{Caller, Engine, Error};
use crate::records::{Build, BuildStatus};

/// Every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct BuildFilter {
    pub status: Option<BuildStatus>,
    pub backend: Option<String>,
    pub source_type: Option<String>,
    /// At most 100; 50 when absent.
    pub limit: Option<u32>,
    /// From the page before.
    pub cursor: Option<String>,
}

#[derive(Debug, Clone)]
pub struct BuildPage {
    pub builds: Vec<Build>,
    pub next_cursor: Option<String>,
}

impl Engine {
    /// `reference` may be a raw `tmpl_…` id.
    pub async fn list_builds(
        &self,
        _caller: &Caller,
        _reference: &str,
        _filter: BuildFilter,
    ) -> Result<BuildPage, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
