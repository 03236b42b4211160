//! What a create asks for, checked: past here there is nothing left to refuse about its shape.

use super::{CreateSandbox, Error};
use crate::config::SANDBOX_TIMEOUT_MAX;
use nullspace_domain::checkout::Special;
use nullspace_domain::limits::{DISK_MB_MAX, DISK_MB_MIN, MEMORY_MB_MAX, MEMORY_MB_MIN, PATH_MAX, VCPUS_MAX};
use nullspace_domain::name;
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::warm_pool::Mode;
use nullspace_domain::{Resources, WarmPoolId};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longest Idempotency-Key: published clients send a UUID.
const KEY_MAX: usize = 255;

/// A create request, parsed.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub reference: TemplateRef,
    /// `disk_mb` is 0 when the caller did not say.
    pub resources: Resources,
    pub specials: BTreeSet<Special>,
    pub pool: Option<AskedPool>,
    /// Of everything that was asked for: the same key with another is refused.
    pub fingerprint: [u8; 32],
    pub request: CreateSandbox,
}

#[derive(Debug, Clone)]
pub(super) struct AskedPool {
    pub id: Option<WarmPoolId>,
    pub mode: Option<Mode>,
    pub wait: Duration,
}

/// Parses at the door.
pub(super) fn parse(request: CreateSandbox) -> Result<Asked, Error> {
    let reference = TemplateRef::parse_field("template", &request.template)?;
    let resources = resources("", request.vcpus, request.memory_mb, request.disk_mb)?;
    name::envs("envs", &request.envs)?;
    name::metadata("metadata", &request.metadata)?;
    if let Some(cwd) = &request.cwd {
        check_cwd(cwd)?;
    }
    check_timeout(request.timeout)?;
    if let Some(key) = &request.idempotency_key
        && (key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|b| b.is_ascii_graphic()))
    {
        return Err(Error::invalid(
            "Idempotency-Key",
            format!("`Idempotency-Key` must be 1 to {KEY_MAX} visible ASCII characters"),
        ));
    }
    let pool = request.warm_pool.as_ref().map(|choice| {
        let id = choice.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        let id = match id {
            Some(id) => Some(WarmPoolId::parse(id).map_err(|_| Error::WarmPoolNotFound { id: id.to_owned() })?),
            None if choice.mode == Some(Mode::Bypass) => None,
            None => {
                return Err(Error::invalid("warm_pool.id", "`warm_pool.id` is required unless the mode is `bypass`"));
            }
        };
        Ok(AskedPool { id, mode: choice.mode, wait: choice.wait })
    });
    let pool = pool.transpose()?;
    let mut specials = BTreeSet::new();
    if !request.envs.is_empty() {
        specials.insert(Special::Envs);
    }
    if request.cwd.is_some() {
        specials.insert(Special::Cwd);
    }
    if !request.internet_access {
        specials.insert(Special::NoInternet);
    }
    let canonical = serde_json::to_vec(&request).expect("a request holds nothing that JSON cannot");
    let fingerprint = Sha256::digest(canonical).into();
    Ok(Asked { reference, resources, specials, pool, fingerprint, request })
}

/// Checks a size. `prefix` is what stands before the field names on the wire.
pub(super) fn resources(prefix: &str, vcpus: u32, memory_mb: u32, disk_mb: Option<u32>) -> Result<Resources, Error> {
    let range = |field: &str, value: u32, least: u32, most: u32| match (least..=most).contains(&value) {
        true => Ok(()),
        false => {
            let field = format!("{prefix}{field}");
            Err(Error::invalid(field.clone(), format!("`{field}` must be between {least} and {most}")))
        }
    };
    range("vcpus", vcpus, 1, VCPUS_MAX)?;
    range("memory_mb", memory_mb, MEMORY_MB_MIN, MEMORY_MB_MAX)?;
    if let Some(disk_mb) = disk_mb {
        range("disk_mb", disk_mb, DISK_MB_MIN, DISK_MB_MAX)?;
    }
    Ok(Resources { vcpus, memory_mb, disk_mb: disk_mb.unwrap_or(0) })
}

pub(super) fn check_timeout(timeout: Duration) -> Result<(), Error> {
    if timeout.is_zero() || timeout > SANDBOX_TIMEOUT_MAX {
        let most = SANDBOX_TIMEOUT_MAX.as_millis();
        return Err(Error::invalid("timeout_ms", format!("`timeout_ms` must be between 1 and {most}")));
    }
    Ok(())
}

fn check_cwd(cwd: &str) -> Result<(), Error> {
    if !cwd.starts_with('/') || cwd.len() > PATH_MAX || cwd.contains('\0') {
        return Err(Error::invalid("cwd", format!("`cwd` must be an absolute path of at most {PATH_MAX} bytes")));
    }
    // The published service keeps its own files there (spec sandboxes §2.1).
    if cwd == "/workspace/.nullspace" || cwd.starts_with("/workspace/.nullspace/") {
        return Err(Error::invalid("cwd", "`cwd` may not be below `/workspace/.nullspace`, which is reserved"));
    }
    Ok(())
}
