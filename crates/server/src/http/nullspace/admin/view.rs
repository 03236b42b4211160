//! Images, keys and tenants as clients see them.

use crate::records;
use nullspace_api::admin::{Image, Key, NodeStatus, Tenant};
use nullspace_node::api as node;

pub fn image(image: node::ImageInfo) -> Image {
    Image {
        name: image.name,
        digest: image.digest,
        size_bytes: image.size_bytes,
        created_at: image.created_at,
        source: image.source,
    }
}

pub fn node(status: node::NodeStatus) -> NodeStatus {
    NodeStatus {
        id: status.id.to_string(),
        driver: status.driver,
        accelerator: status.accelerator,
        warnings: status.warnings,
        memory_mb: status.memory_mb,
        disk_mb: status.disk_mb,
        disk_free_mb: status.disk_free_mb,
    }
}

pub fn tenant(tenant: records::Tenant) -> Tenant {
    Tenant { id: tenant.id.to_string(), slug: tenant.slug, created_at: tenant.created_at }
}

pub fn key(key: records::KeyInfo) -> Key {
    Key { id: key.id.to_string(), created_at: key.created_at, revoked_at: key.revoked_at }
}
