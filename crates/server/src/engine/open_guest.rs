//! A stream to the agent inside a sandbox.

use super::{Caller, Engine, Error, lookup};
use crate::records::{Sandbox, SandboxStatus};
use crate::store::{builds, sandboxes};
use nullspace_domain::SandboxId;
use nullspace_node::api::GuestStream;
use rusqlite::Connection;
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

/// Where commands run when nobody says.
const CWD_DEFAULT: &str = "/workspace";

impl Engine {
    /// One stream per operation. The sandbox must be running.
    pub async fn open_guest(&self, caller: &Caller, id: &str) -> Result<Guest, Error> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let find = move |connection: &Connection| {
            let sandbox = lookup::sandbox(connection, &caller, &id)?;
            defaults(connection, sandbox)
        };
        let (sandbox, defaults) = self.inner.store.read(find).await?;
        self.connect(sandbox, defaults).await
    }

    /// The same without a caller, for whoever holds a signed permission for one of its ports.
    pub async fn open_guest_port(&self, id: &str) -> Result<Guest, Error> {
        let id = id.to_owned();
        let find = move |connection: &Connection| {
            let found = match SandboxId::parse(&id) {
                Ok(id) => sandboxes::sandbox(connection, &id)?,
                Err(_) => None,
            };
            defaults(connection, found.ok_or(Error::SandboxNotFound { id })?)
        };
        let (sandbox, defaults) = self.inner.store.read(find).await?;
        self.connect(sandbox, defaults).await
    }

    async fn connect(&self, sandbox: Sandbox, defaults: GuestDefaults) -> Result<Guest, Error> {
        match sandbox.status {
            SandboxStatus::Running => {}
            // To its owner a sandbox that has ended is as good as not there.
            SandboxStatus::Destroyed => return Err(Error::SandboxNotFound { id: sandbox.id.to_string() }),
            status => return Err(Error::SandboxNotReady { id: sandbox.id, status }),
        }
        match self.inner.node.guest(&sandbox.instance).await {
            Ok(stream) => Ok(Guest { stream, defaults }),
            Err(error) => Err(Error::Unresponsive { id: sandbox.id, detail: error.to_string() }),
        }
    }
}

fn defaults(connection: &Connection, sandbox: Sandbox) -> Result<(Sandbox, GuestDefaults), Error> {
    let runtime = builds::build(connection, &sandbox.build)?.map(|build| build.runtime).unwrap_or_default();
    let mut envs = runtime.default_envs;
    envs.extend(sandbox.envs.clone());
    let cwd = sandbox.cwd.clone().or(runtime.default_workdir).unwrap_or_else(|| CWD_DEFAULT.to_owned());
    Ok((sandbox, GuestDefaults { envs, cwd, user: runtime.default_user }))
}
