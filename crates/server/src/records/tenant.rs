//! Whose things things are, and the keys that say so. A key itself is never kept, only its SHA-256.

use nullspace_domain::{KeyId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// The slug is the tenant's template namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub created_at: Timestamp,
    /// Most instances at once; none means no limit.
    pub instances_max: Option<u32>,
    pub memory_mb_max: Option<u64>,
}

/// What may be shown of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    pub id: KeyId,
    pub tenant: TenantId,
    pub tenant_slug: String,
    pub name: String,
    /// May manage tenants, keys and images.
    pub admin: bool,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}
