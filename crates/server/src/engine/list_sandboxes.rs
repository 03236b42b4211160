//! A tenant's sandboxes, newest first.

use super::{Caller, Engine, Error};
use crate::records::{Sandbox, SandboxStatus};

/// Every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct SandboxFilter {
    /// Empty means those that are live.
    pub statuses: Vec<SandboxStatus>,
    /// A template ref.
    pub template: Option<String>,
    /// Every key with an equal value.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// At most 1000; 100 when absent.
    pub limit: Option<u32>,
    /// From the page before.
    pub next_token: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SandboxPage {
    pub items: Vec<Sandbox>,
    /// None on the last page.
    pub next_token: Option<String>,
}

impl Engine {
    pub async fn list_sandboxes(&self, _caller: &Caller, _filter: SandboxFilter) -> Result<SandboxPage, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
