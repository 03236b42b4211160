//! Looking at files and changing where they are.

use super::files_as::{act_as, locate};
use super::serve::in_parts;
use super::users::Users;
use super::{fail, os};
use crate::protocol::{Failure, FailureCode, File, FileType, LIST_MAX, LIST_PARTS_MAX, Response};
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o7777;

pub async fn list(path: &str, depth: u32, user: Option<&str>) -> Result<Vec<Response>, Failure> {
    let (identity, path) = locate(path, user)?;
    let (files, truncated) = act_as(&identity, move || {
        let path = path.canonicalize().map_err(|error| os(&error, format_args!("list `{}`", path.display())))?;
        let (users, mut files) = (Users::load(), Vec::new());
        let whole = walk(&path, depth.max(1), &users, &mut files)
            .map_err(|error| os(&error, format_args!("list `{}`", path.display())))?;
        Ok((files, !whole))
    })
    .await?;
    let mut parts = in_parts(files.into_iter());
    let truncated = truncated || parts.len() > LIST_PARTS_MAX;
    parts.truncate(LIST_PARTS_MAX);
    let last = parts.len() - 1;
    let numbered = parts.into_iter().enumerate();
    Ok(numbered.map(|(number, files)| Response::Files { files, truncated, more: number < last }).collect())
}

/// Adds the entries of a directory, each followed by its own; says whether all of them had room.
fn walk(directory: &Path, depth: u32, users: &Users, files: &mut Vec<File>) -> io::Result<bool> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        entries.push(entry?.path());
        // As many as could be listed at all, so that a huge directory costs no more than that.
        if files.len() + entries.len() > LIST_MAX {
            break;
        }
    }
    entries.sort();
    for path in entries {
        if files.len() >= LIST_MAX {
            return Ok(false);
        }
        // What vanished meanwhile is not there.
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let is_directory = metadata.is_dir();
        files.push(describe(&path, &metadata, users));
        // One that cannot be read is listed without what is in it.
        if is_directory && depth > 1 && !walk(&path, depth - 1, users, files).unwrap_or(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub async fn stat(path: &str, user: Option<&str>) -> Result<File, Failure> {
    let (identity, path) = locate(path, user)?;
    act_as(&identity, move || look(&path)).await
}

pub async fn remove(path: &str, user: Option<&str>) -> Result<(), Failure> {
    let (identity, path) = locate(path, user)?;
    act_as(&identity, move || {
        let failed = |error| os(&error, format_args!("remove `{}`", path.display()));
        if path.canonicalize().is_ok_and(|path| path == Path::new("/")) {
            return Err(fail(FailureCode::InvalidRequest, "the root directory cannot be removed"));
        }
        let metadata = path.symlink_metadata().map_err(failed)?;
        if metadata.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.map_err(failed)
    })
    .await
}

pub async fn rename(from: &str, to: &str, user: Option<&str>) -> Result<File, Failure> {
    let (identity, from) = locate(from, user)?;
    let (_, to) = locate(to, user)?;
    act_as(&identity, move || {
        fs::rename(&from, &to)
            .map_err(|error| os(&error, format_args!("rename `{}` to `{}`", from.display(), to.display())))?;
        look(&to)
    })
    .await
}

pub async fn mkdir(path: &str, user: Option<&str>, mode: Option<u32>) -> Result<(), Failure> {
    let (identity, path) = locate(path, user)?;
    act_as(&identity, move || {
        let failed = |error| os(&error, format_args!("make the directory `{}`", path.display()));
        if path.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o755).create(&path).map_err(failed)?;
        match mode {
            Some(mode) => fs::set_permissions(&path, Permissions::from_mode(mode & PERMISSIONS)).map_err(failed),
            None => Ok(()),
        }
    })
    .await
}

pub async fn chmod(path: &str, mode: u32, user: Option<&str>) -> Result<(), Failure> {
    let (identity, path) = locate(path, user)?;
    act_as(&identity, move || {
        fs::set_permissions(&path, Permissions::from_mode(mode & PERMISSIONS))
            .map_err(|error| os(&error, format_args!("change the permissions of `{}`", path.display())))
    })
    .await
}

/// What is at a path, without following a symbolic link at its end.
pub fn look(path: &Path) -> Result<File, Failure> {
    let failed = |error| os(&error, format_args!("look at `{}`", path.display()));
    let metadata = path.symlink_metadata().map_err(failed)?;
    Ok(describe(&resolve(path), &metadata, &Users::load()))
}

/// Resolves everything but the last name, which may be a symbolic link.
fn resolve(path: &Path) -> PathBuf {
    let resolved = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => parent.canonicalize().map(|parent| parent.join(name)),
        _ => path.canonicalize(),
    };
    resolved.unwrap_or_else(|_| path.to_owned())
}

pub fn describe(path: &Path, metadata: &Metadata, users: &Users) -> File {
    let kind = match metadata.file_type() {
        kind if kind.is_symlink() => FileType::Symlink,
        kind if kind.is_dir() => FileType::Dir,
        kind if kind.is_file() => FileType::File,
        _ => FileType::Other,
    };
    let target = (kind == FileType::Symlink).then(|| fs::read_link(path).ok()).flatten();
    File {
        name: path.file_name().map_or_else(|| "/".into(), |name| name.to_string_lossy().into_owned()),
        path: path.to_string_lossy().into_owned(),
        kind,
        size: metadata.len(),
        mode: metadata.mode() & PERMISSIONS,
        owner: users.user_name(metadata.uid()),
        group: users.group_name(metadata.gid()),
        modified_unix_ms: metadata.mtime().saturating_mul(1000) + metadata.mtime_nsec() / 1_000_000,
        symlink_target: target.map(|target| target.to_string_lossy().into_owned()),
    }
}
