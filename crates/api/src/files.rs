//! Files of a sandbox (spec sandboxes §6).

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::{IntoParams, ToSchema};

/// A file, directory or link. Strict: no other key may appear.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileInfo {
    pub name: String,
    /// Absolute and resolved.
    pub path: String,
    pub is_dir: bool,
    pub size: u64,
    #[serde(rename = "type")]
    pub kind: Option<FileType>,
    pub mode: Option<u32>,
    /// As `ls` shows it, without the type: `rw-r--r--`.
    pub permissions: Option<String>,
    pub owner: Option<String>,
    pub group: Option<String>,
    pub modified_time: Option<Timestamp>,
    pub symlink_target: Option<String>,
}

/// Directories are `dir`: clients compare with exactly that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    File,
    Dir,
    Symlink,
}

/// Which directory to list.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Absent means `/`.
    pub path: Option<String>,
    pub user: Option<String>,
    /// 1, the directory's own entries, when absent.
    pub depth: Option<u32>,
}

/// Which file to transfer raw.
#[skip_serializing_none]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    pub path: String,
    pub user: Option<String>,
}

/// A path, and as whom to touch it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PathRequest {
    pub path: String,
    pub user: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exists {
    pub exists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    Utf8,
    Base64,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadFile {
    pub path: String,
    /// Absent means `utf8`.
    pub encoding: Option<Encoding>,
    pub user: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileContent {
    pub content: String,
    pub encoding: Encoding,
    pub size: u64,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WriteFile {
    pub path: String,
    pub content: String,
    pub encoding: Option<Encoding>,
    pub user: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenameFile {
    pub old_path: String,
    pub new_path: String,
    pub user: Option<String>,
}

#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetPermissions {
    pub path: String,
    /// Three or four octal digits.
    pub permissions: String,
    pub user: Option<String>,
}

/// The `manifest` part of a batch write.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchManifest {
    pub files: Vec<BatchFile>,
    pub user: Option<String>,
}

/// A file of a batch: its path, and the multipart field with its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchFile {
    pub path: String,
    pub field: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    pub results: Vec<BatchResult>,
}

/// One result for each file, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum BatchResult {
    Success { path: String, info: FileInfo },
    Error { path: String, error: String },
}
