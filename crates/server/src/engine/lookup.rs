//! What a ref or an id from outside means to a caller. Everything here answers *not found* for what
//! belongs to another tenant.

use super::{Caller, Error};
use crate::records::{Build, BuildStatus, Sandbox, Template};
use crate::store::{builds, pools, sandboxes, templates};
use nullspace_domain::template_ref::{Qualifier, TemplateRef};
use nullspace_domain::warm_pool::WarmPool;
use nullspace_domain::{BuildId, SandboxId, WarmPoolId};
use rusqlite::Connection;

pub(super) fn template(connection: &Connection, caller: &Caller, reference: &TemplateRef) -> Result<Template, Error> {
    let found = templates::template_meant(connection, &caller.tenant, &caller.namespace, reference)?;
    found.ok_or_else(|| Error::TemplateNotFound { reference: reference.to_string() })
}

pub(super) fn qualifier(reference: &TemplateRef) -> Option<&Qualifier> {
    match reference {
        TemplateRef::Id(_) => None,
        TemplateRef::Named(named) => named.qualifier.as_ref(),
    }
}

/// The build of a template that a ref means, if it can be run.
pub(super) fn ready_build(
    connection: &Connection,
    template: &Template,
    reference: &TemplateRef,
) -> Result<Option<Build>, Error> {
    let build = templates::build_meant(connection, &template.id, qualifier(reference))?;
    Ok(build.filter(|build| build.status == BuildStatus::Ready && build.artifact.is_some()))
}

pub(super) fn build(connection: &Connection, caller: &Caller, id: &str) -> Result<Build, Error> {
    let unknown = || Error::BuildNotFound { id: id.to_owned() };
    let parsed = BuildId::parse(id).map_err(|_| unknown())?;
    let found = builds::build(connection, &parsed)?;
    found.filter(|build| build.tenant.as_ref() == Some(&caller.tenant)).ok_or_else(unknown)
}

pub(super) fn sandbox(connection: &Connection, caller: &Caller, id: &str) -> Result<Sandbox, Error> {
    let unknown = || Error::SandboxNotFound { id: id.to_owned() };
    let parsed = SandboxId::parse(id).map_err(|_| unknown())?;
    sandboxes::sandbox_of(connection, &caller.tenant, &parsed)?.ok_or_else(unknown)
}

pub(super) fn pool(connection: &Connection, caller: &Caller, id: &str) -> Result<WarmPool, Error> {
    let unknown = || Error::WarmPoolNotFound { id: id.to_owned() };
    let parsed = WarmPoolId::parse(id).map_err(|_| unknown())?;
    pools::pool_of(connection, &caller.tenant, &parsed)?.ok_or_else(unknown)
}
