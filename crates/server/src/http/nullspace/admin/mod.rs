//! Images, hosts, tenants and keys, one verb a file.

pub mod add_image;
pub mod create_key;
pub mod create_tenant;
pub mod list_images;
pub mod list_keys;
pub mod list_nodes;
pub mod list_tenants;
pub mod remove_image;
pub mod revoke_key;
pub mod view;
