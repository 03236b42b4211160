//! What only the operator's key may do: images, hosts, tenants and keys.

use crate::{ErrorBody, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

/// An image in the local store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    pub name: String,
    pub digest: String,
    pub size_bytes: u64,
    pub created_at: Timestamp,
    /// `registry`, `import` or `bootstrap`.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageList {
    pub items: Vec<Image>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddImage {
    pub name: String,
    pub source: ImageSource,
}

/// Where an image comes from. `path` is a path on the server's host.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageSource {
    pub kind: ImageSourceKind,
    pub path: Option<String>,
    pub recipe: Option<String>,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageSourceKind {
    Registry,
    Archive,
    Bootstrap,
}

/// One event of the stream that adding an image answers with; the last is `done` or `error`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImageEvent {
    Progress { message: String, done_bytes: Option<u64>, total_bytes: Option<u64> },
    Done { image: Image },
    Error { error: Box<ErrorBody> },
}

/// A host that runs machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    pub id: String,
    /// `microvm` or `container`.
    pub driver: String,
    /// `kvm` or `emulation`; for containers the runtime's name.
    pub accelerator: String,
    pub warnings: Vec<String>,
    pub memory_mb: u64,
    pub disk_mb: u64,
    pub disk_free_mb: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeList {
    pub items: Vec<NodeStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateTenant {
    /// Lower-case letters and digits in dash-separated groups; the tenant's namespace.
    pub slug: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    pub id: String,
    pub slug: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantList {
    pub items: Vec<Tenant>,
}

/// What a new key is for.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateKey {
    pub name: Option<String>,
}

/// A key's handle, without the key.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    pub id: String,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// A key that was just made: the only time its text is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewKey {
    pub id: String,
    pub key: Secret,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    pub items: Vec<Key>,
}

/// What `GET /healthz` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    pub status: String,
}
