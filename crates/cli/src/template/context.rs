//! The local files a build needs: which travel, under which path, and which must not.
//!
//! Directories come before their files. Links and special files are refused: the machine that unpacks
//! them is not the one they point into.

use crate::failure::Failure;
use base64::Engine;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use nullspace_api::build_request::{ContextFile, EntryType, PreflightFile};
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file or directory: where it is here, and what it is called there.
pub struct Entry {
    pub path: String,
    local: PathBuf,
    is_dir: bool,
    mode: String,
    force_upload: bool,
}

impl Entry {
    fn of(local: &Path, path: String, force_upload: bool) -> Result<Self, Failure> {
        let kind = std::fs::symlink_metadata(local).map_err(|source| file("read", local, source))?;
        if !kind.is_file() && !kind.is_dir() {
            let what = if kind.is_symlink() { "a symbolic link" } else { "neither a file nor a directory" };
            return Err(Failure::usage(local.display().to_string(), format!("is {what}; a context cannot have it")));
        }
        let mode = format!("{:04o}", kind.permissions().mode() & 0o777);
        Ok(Self { path, local: local.to_owned(), is_dir: kind.is_dir(), mode, force_upload })
    }

    fn entry_type(&self) -> EntryType {
        if self.is_dir { EntryType::Dir } else { EntryType::File }
    }

    pub fn read(&self) -> Result<Vec<u8>, Failure> {
        std::fs::read(&self.local).map_err(|source| file("read", &self.local, source))
    }

    pub fn bare(&self) -> ContextFile {
        ContextFile {
            path: self.path.clone(),
            entry_type: self.entry_type(),
            mode: Some(self.mode.clone()),
            blob_id: None,
            content_base64: None,
        }
    }

    pub fn inline(&self) -> Result<ContextFile, Failure> {
        let content = match self.is_dir {
            true => None,
            false => Some(base64::engine::general_purpose::STANDARD.encode(self.read()?)),
        };
        Ok(ContextFile { content_base64: content, ..self.bare() })
    }

    /// What the server needs to say whether it has the bytes already.
    pub fn descriptor(&self) -> Result<PreflightFile, Failure> {
        let bytes = if self.is_dir { None } else { Some(self.read()?) };
        Ok(PreflightFile {
            path: self.path.clone(),
            entry_type: self.entry_type(),
            mode: Some(self.mode.clone()),
            sha256: bytes.as_ref().map(|bytes| hex(&Sha256::digest(bytes))),
            size_bytes: bytes.as_ref().map(|bytes| bytes.len() as u64),
            force_upload: (self.force_upload && !self.is_dir).then_some(true),
        })
    }
}

/// Patterns of `.gitignore`'s syntax, relative to a context root; without a root nothing is ignored.
pub struct Ignore(Option<Gitignore>);

impl Ignore {
    pub fn below(root: Option<&Path>, patterns: &[String], files: &[&str]) -> Result<Self, Failure> {
        let Some(root) = root else { return Ok(Self(None)) };
        let mut rules = GitignoreBuilder::new(root);
        if let Some(path) = files.iter().map(|name| root.join(name)).find(|path| path.is_file()) {
            let text = std::fs::read_to_string(&path).map_err(|source| file("read", &path, source))?;
            for line in text.lines() {
                rules.add_line(None, line).map_err(|error| bad_pattern(&path.display().to_string(), &error))?;
            }
        }
        for pattern in patterns {
            rules.add_line(None, pattern).map_err(|error| bad_pattern("--file-ignore", &error))?;
        }
        Ok(Self(Some(rules.build().map_err(|error| bad_pattern("--file-ignore", &error))?)))
    }

    fn excludes(&self, path: &Path, is_dir: bool) -> bool {
        self.0.as_ref().is_some_and(|rules| {
            path != rules.path()
                && path.starts_with(rules.path())
                && rules.matched_path_or_any_parents(path, is_dir).is_ignore()
        })
    }
}

/// Adds one copied source and answers the path its step names it by.
pub fn source(
    local: &Path,
    prefix: &str,
    ignore: &Ignore,
    force_upload: bool,
    entries: &mut Vec<Entry>,
) -> Result<String, Failure> {
    let local = normal(local)?;
    let name = local.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let reference = format!("{prefix}/{}", clean(&name));
    let entry = Entry::of(&local, reference.clone(), force_upload)?;
    if ignore.excludes(&local, entry.is_dir) {
        return Err(Failure::usage(local.display().to_string(), "is excluded by the ignore patterns"));
    }
    let is_dir = entry.is_dir;
    entries.push(entry);
    if is_dir {
        entries.extend(below(&local, &reference, ignore, force_upload, &[])?);
    }
    Ok(reference)
}

/// A Dockerfile's context: all below the root, without the Dockerfile and the ignore files themselves.
pub fn dockerfile(root: &Path, path: Option<&Path>, patterns: &[String]) -> Result<Vec<Entry>, Failure> {
    let root = existing(root)?;
    let inside = path.and_then(|path| path.strip_prefix(&root).ok()).unwrap_or(Path::new("Dockerfile"));
    let inside = inside.display().to_string();
    let own = format!("{inside}.dockerignore");
    let ignore = Ignore::below(Some(&root), patterns, &[&own, ".dockerignore"])?;
    below(&root, "", &ignore, false, &[&inside, &own, ".dockerignore"])
}

/// All below a directory, directories first; paths start with `reference`.
fn below(
    top: &Path,
    reference: &str,
    ignore: &Ignore,
    force_upload: bool,
    skip: &[&str],
) -> Result<Vec<Entry>, Failure> {
    let mut found = Vec::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(directory) = waiting.pop() {
        let failed = |source| file("list", &directory, source);
        let listing = std::fs::read_dir(&directory).map_err(failed)?;
        for item in listing {
            let item = item.map_err(failed)?;
            let path = item.path();
            let relative = path.strip_prefix(top).expect("a child lies below its parent").display().to_string();
            let is_dir = item.file_type().map_err(failed)?.is_dir();
            if skip.contains(&relative.as_str()) || ignore.excludes(&path, is_dir) {
                continue;
            }
            let named = if reference.is_empty() { relative } else { format!("{reference}/{relative}") };
            found.push(Entry::of(&path, named, force_upload)?);
            if is_dir {
                waiting.push(path);
            }
        }
    }
    found.sort_by(|a, b| b.is_dir.cmp(&a.is_dir).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

/// The real path of a directory that must be there.
pub fn existing(path: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(path).map_err(|source| file("find", path, source))
}

/// The path with its parents resolved; a link as last part stays one, to be refused.
fn normal(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path).map_err(|source| file("find", path, source))?;
    match (absolute.parent(), absolute.file_name(), path.ends_with(".")) {
        (Some(parent), Some(name), false) => Ok(existing(parent)?.join(name)),
        _ => existing(&absolute),
    }
}

fn clean(name: &str) -> String {
    let cleaned: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' }).collect();
    if cleaned.is_empty() { "_".to_owned() } else { cleaned }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file(action: &'static str, path: &Path, source: std::io::Error) -> Failure {
    Failure::File { action, path: path.to_owned(), source }
}

fn bad_pattern(flag: &str, error: &ignore::Error) -> Failure {
    Failure::usage(flag, error.to_string())
}
