//! Who asks. Everything an operation touches is looked up within this tenant, so what belongs to
//! another does not exist.

use nullspace_domain::{KeyId, TenantId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub tenant: TenantId,
    /// The tenant's slug: its template namespace.
    pub namespace: String,
    pub key: KeyId,
    /// May manage tenants, keys and images.
    pub admin: bool,
}
