//! A stream to the agent inside a sandbox.

use super::{Caller, Engine, Error};
use nullspace_node::api::GuestStream;
use std::collections::BTreeMap;

/// A stream of the guest protocol, and what commands in this sandbox inherit.
pub struct Guest {
    pub stream: Box<dyn GuestStream>,
    pub defaults: GuestDefaults,
}

/// What a command gets when its caller names nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestDefaults {
    /// The sandbox's over the template's.
    pub envs: BTreeMap<String, String>,
    /// The sandbox's, else the template's, else `/workspace`.
    pub cwd: String,
    /// None means the image's own.
    pub user: Option<String>,
}

impl Engine {
    /// One stream per operation. The sandbox must be running.
    pub async fn open_guest(&self, _caller: &Caller, _id: &str) -> Result<Guest, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// The same without a caller, for whoever holds a signed permission for one of its ports.
    pub async fn open_guest_port(&self, _id: &str) -> Result<Guest, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
