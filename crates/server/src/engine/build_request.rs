//! What a build is asked to do (spec templates §6), as a dialect has parsed it.

use bytes::Bytes;
use nullspace_domain::build::Step;
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_node::api::RegistryAuth;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// `name` or `namespace/name`; one is made up when absent.
    pub name: Option<String>,
    /// None means `default`; an empty list is refused.
    pub tags: Option<Vec<String>>,
    pub base_image: Option<String>,
    pub base_image_auth: Option<RegistryAuth>,
    /// The whole text of a Dockerfile.
    pub dockerfile: Option<String>,
    /// `native` or `buildkit`.
    pub backend: Option<String>,
    pub steps: Vec<Step>,
    pub context: Vec<ContextEntry>,
    pub build_envs: BTreeMap<String, String>,
    pub runtime: RuntimeConfig,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_mb: Option<u32>,
    pub internet_access: bool,
    pub skip_cache: bool,
}

/// One file or directory of the build context.
#[derive(Debug, Clone)]
pub struct ContextEntry {
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    pub content: Content,
}

#[derive(Debug, Clone)]
pub enum Content {
    Directory,
    /// Uploaded before.
    Blob(String),
    Inline(Bytes),
    /// Neither a blob nor bytes: a client that skipped the preflight.
    Missing,
}
