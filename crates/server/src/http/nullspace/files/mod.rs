//! Files of a sandbox, one verb a file.

pub mod at;
pub mod batch_write;
pub mod download;
pub mod exists;
pub mod info;
pub mod list;
pub mod make_dir;
pub mod read;
pub mod remove;
pub mod rename;
pub mod set_permissions;
pub mod upload;
pub mod view;
pub mod write;
