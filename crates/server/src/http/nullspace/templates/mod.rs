//! Templates and tags, one verb a file.

pub mod assign_tags;
pub mod delete;
pub mod get;
pub mod list;
pub mod list_tags;
pub mod remove_tag;
pub mod view;
