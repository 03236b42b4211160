//! The files that travel with a build, by the paths its steps name (spec templates §6.1, §6.2).

use super::problem::{Fields, Problems};
use super::step::{CopyItem, Step};
use super::step_rules;
use crate::limits::{CONTEXT_FILES_MAX, PATH_MAX};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// One file or directory of the build context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextEntry {
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    pub content: Content,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    Directory,
    /// Uploaded before.
    Blob {
        id: String,
    },
    /// Sent with the request. The bytes are not kept with the definition: what was built from them
    /// cannot be retried without sending them again.
    Inline {
        sha256: String,
        size_bytes: u64,
        #[serde(skip)]
        bytes: Vec<u8>,
    },
}

impl std::fmt::Debug for Content {
    /// File contents reach no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory => f.write_str("Directory"),
            Self::Blob { id } => write!(f, "Blob({id})"),
            Self::Inline { sha256, size_bytes, .. } => write!(f, "Inline({sha256}, {size_bytes} bytes)"),
        }
    }
}

/// Blob ids are the server's own; anything longer was not made here.
const BLOB_ID_MAX: usize = 128;
/// A file name as file systems take it.
const FILE_NAME_MAX: usize = 255;

pub(super) fn read(request: &Fields<'_>, problems: &mut Problems) -> Vec<ContextEntry> {
    let Some(context) = request.object("build_context", problems) else { return Vec::new() };
    let items = context.list("files", CONTEXT_FILES_MAX, problems).unwrap_or_default();
    let mut entries: Vec<ContextEntry> = Vec::with_capacity(items.len());
    for (path, item) in items {
        let Some(fields) = Fields::of(path, item, problems) else { continue };
        entries.extend(entry(&fields, problems));
    }
    fit_together(&context.path("files"), &entries, problems);
    entries
}

fn entry(fields: &Fields<'_>, problems: &mut Problems) -> Option<ContextEntry> {
    let path = fields.text("path", problems).unwrap_or_default();
    context_path(&fields.path("path"), path, problems);
    let kind = fields.text("entry_type", problems).unwrap_or("file");
    let mode = match fields.text("mode", problems) {
        Some(text) => {
            step_rules::mode(&fields.path("mode"), text, problems);
            u32::from_str_radix(text, 8).unwrap_or(0)
        }
        None if kind == "dir" => 0o755,
        None => 0o644,
    };
    let blob = fields.text("blob_id", problems);
    let inline = fields.text("content_base64", problems);
    let content = match (kind, blob, inline) {
        ("dir", None, None) => Content::Directory,
        ("dir", ..) => {
            problems.add_upload(fields.path("entry_type"), "is `dir`, and a directory has no content");
            return None;
        }
        ("file", Some(id), None) => {
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
            if id.is_empty() || id.len() > BLOB_ID_MAX || !id.bytes().all(legal) {
                problems.add_upload(fields.path("blob_id"), "is not the id of a blob");
            }
            Content::Blob { id: id.to_owned() }
        }
        ("file", None, Some(text)) => match base64::engine::general_purpose::STANDARD.decode(text) {
            Ok(bytes) => {
                let sha256 = hex::encode(Sha256::digest(&bytes));
                Content::Inline { sha256, size_bytes: bytes.len() as u64, bytes }
            }
            Err(_) => {
                problems.add_upload(fields.path("content_base64"), "is not base64");
                return None;
            }
        },
        ("file", Some(_), Some(_)) => {
            problems.add_upload(fields.path("blob_id"), "and `content_base64` exclude each other");
            return None;
        }
        // A client whose preflight failed sends descriptions of local files instead (spec §6.3).
        ("file", None, None) => {
            problems
                .add_upload(fields.path("blob_id"), "is missing, and so is `content_base64`: upload the file first");
            return None;
        }
        _ => {
            problems.add(fields.path("entry_type"), "must be `file` or `dir`");
            return None;
        }
    };
    Some(ContextEntry { path: path.to_owned(), mode, content })
}

/// Relative, made of real names only: it becomes a path on the build host.
fn context_path(field: &str, path: &str, problems: &mut Problems) {
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= FILE_NAME_MAX;
    if path.len() > PATH_MAX || !path.split('/').all(is_name) || path.chars().any(|c| c.is_control() || c == '\\') {
        problems.add(field, "must be a relative path of plain names, without `..`, that stays inside the context");
    }
}

/// No path twice, and nothing below a file.
fn fit_together(field: &str, entries: &[ContextEntry], problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    let is_file = |entry: &&ContextEntry| entry.content != Content::Directory;
    let files: BTreeSet<&str> = entries.iter().filter(is_file).map(|entry| entry.path.as_str()).collect();
    for entry in entries {
        if !seen.insert(entry.path.as_str()) {
            problems.add(field, format!("has `{}` twice", entry.path));
        }
        let parents = entry.path.match_indices('/').map(|(end, _)| &entry.path[..end]);
        if let Some(parent) = parents.into_iter().find(|parent| files.contains(parent)) {
            problems.add(field, format!("has `{}` below `{parent}`, which is a file", entry.path));
        }
    }
}

/// Every source that a step copies is there.
pub(super) fn sources_exist(steps: &[Step], entries: &[ContextEntry], problems: &mut Problems) {
    // A directory may be there only through what is in it.
    let mut known = BTreeSet::new();
    for entry in entries {
        known.insert(entry.path.as_str());
        known.extend(entry.path.match_indices('/').map(|(end, _)| &entry.path[..end]));
    }
    for (index, step) in steps.iter().enumerate() {
        let items: &[CopyItem] = match step {
            Step::Copy(item) => std::slice::from_ref(item),
            Step::CopyItems { items } => items,
            _ => continue,
        };
        for source in items.iter().flat_map(|item| &item.sources) {
            if !known.contains(source.trim_end_matches('/')) {
                let shown: String = source.chars().take(200).collect();
                problems
                    .add(format!("steps[{index}].sources"), format!("names `{shown}`, which `build_context` has not"));
            }
        }
    }
}
