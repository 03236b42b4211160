//! Template warm pools, one verb a file.

pub mod create;
pub mod delete;
pub mod disable;
pub mod drain;
pub mod enable;
pub mod explain;
pub mod get;
pub mod list;
pub mod reconcile;
pub mod status;
pub mod update;
pub mod view;
