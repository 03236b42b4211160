//! Lays a merged tree out as plain files of ours, for `mke2fs` to copy, and says as a `debugfs` script what
//! plain files cannot: owners, special bits, attributes, devices. So one path serves root and everyone else.
//!
//! The staging directory must be new and closed to others (mode 0700): an image's files are in it.

use super::tree::{Content, Metadata, NodeId, ROOT, Tree};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Why a tree cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot lay out `{path}`", path = path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a file name with a line break cannot keep its owner, mode or attributes: `{0}`")]
    LineBreak(String),
}

/// A laid out tree.
#[derive(Debug)]
pub struct Staged {
    pub root: PathBuf,
    /// What is left to do once the files are copied, for `debugfs -w -f`.
    pub script: Vec<u8>,
}

/// Lays `tree` out under `directory/root`. The bytes of files are taken from `data`, by node.
pub fn lay_out(tree: &Tree, data: &Path, directory: &Path) -> Result<Staged, Error> {
    let root = directory.join("root");
    let attributes = directory.join("attributes");
    for path in [&root, &attributes] {
        fs::create_dir(path).map_err(|source| Error::Io { path: path.clone(), source })?;
    }
    let mut layout = Layout {
        tree,
        data,
        attributes,
        attribute_files: 0,
        owner: (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()),
        placed: BTreeMap::new(),
        script: Vec::new(),
    };
    layout.directory(ROOT, &root, &[])?;
    Ok(Staged { root, script: layout.script })
}

struct Layout<'a> {
    tree: &'a Tree,
    data: &'a Path,
    attributes: PathBuf,
    attribute_files: u32,
    owner: (u32, u32),
    /// Where a node was laid out first; its other names become hard links.
    placed: BTreeMap<NodeId, PathBuf>,
    script: Vec<u8>,
}

impl Layout<'_> {
    /// `inside` is the path in the image, without a slash at the end.
    fn directory(&mut self, id: NodeId, host: &Path, inside: &[u8]) -> Result<(), Error> {
        for (name, child) in self.tree.entries(id) {
            if inside.is_empty() && name == b"lost+found" {
                continue; // The file system has its own.
            }
            let host = host.join(OsStr::from_bytes(name));
            let inside = [inside, b"/", name].concat();
            let failed = |source| Error::Io { path: host.clone(), source };
            let node = self.tree.node(child);
            match &node.content {
                Content::Directory(_) => {
                    fs::create_dir(&host).map_err(failed)?;
                    self.directory(child, &host, &inside)?;
                    continue;
                }
                Content::CharacterDevice { major, minor } => {
                    self.special(&inside, name, &format!("c {major} {minor}"), 0o020_000, &node.metadata)?;
                    continue;
                }
                Content::BlockDevice { major, minor } => {
                    self.special(&inside, name, &format!("b {major} {minor}"), 0o060_000, &node.metadata)?;
                    continue;
                }
                Content::Fifo => {
                    self.special(&inside, name, "p", 0o010_000, &node.metadata)?;
                    continue;
                }
                Content::File | Content::Symlink(_) => {}
            }
            if let Some(first) = self.placed.get(&child) {
                fs::hard_link(first, &host).map_err(failed)?;
                continue;
            }
            let (kind, staged_mode) = match &node.content {
                Content::Symlink(target) => {
                    symlink(OsStr::from_bytes(target), &host).map_err(failed)?;
                    (0o120_000, 0o777)
                }
                _ => {
                    fs::rename(self.data.join(child.0.to_string()), &host).map_err(failed)?;
                    // Readable by us, and never with a setuid bit on the host.
                    let mode = node.metadata.mode & 0o777 | 0o400;
                    fs::set_permissions(&host, fs::Permissions::from_mode(mode)).map_err(failed)?;
                    (0o100_000, mode)
                }
            };
            set_modified(&host, node.metadata.modified).map_err(failed)?;
            let wanted_mode = if kind == 0o120_000 { 0o777 } else { node.metadata.mode };
            self.describe(&inside, kind, wanted_mode, staged_mode, &node.metadata, self.owner)?;
            self.placed.insert(child, host);
        }
        let metadata = &self.tree.node(id).metadata;
        let mode = metadata.mode & 0o777 | 0o700;
        let failed = |source| Error::Io { path: host.to_owned(), source };
        fs::set_permissions(host, fs::Permissions::from_mode(mode)).map_err(failed)?;
        set_modified(host, metadata.modified).map_err(failed)?;
        let inside = if inside.is_empty() { b"/" } else { inside };
        self.describe(inside, 0o040_000, metadata.mode, mode, metadata, self.owner)
    }

    /// A device or named pipe: made by the script, because only root could make all of them here.
    fn special(&mut self, inside: &[u8], name: &[u8], what: &str, kind: u32, metadata: &Metadata) -> Result<(), Error> {
        let parent = quote(&inside[..inside.len() - name.len()])?;
        self.line(&[b"cd", &parent]);
        self.line(&[b"mknod", &quote(name)?, what.as_bytes()]);
        self.line(&[b"cd", b"/"]);
        let (path, modified) = (quote(inside)?, format!("@{}", clamp(metadata.modified)));
        for field in ["mtime", "ctime", "atime"] {
            self.line(&[b"sif", &path, field.as_bytes(), modified.as_bytes()]);
        }
        // `mknod` leaves the permissions empty and the owner root.
        self.describe(inside, kind, metadata.mode, 0o10000, metadata, (0, 0))
    }

    /// Adds to the script what differs from what the copy will have.
    fn describe(
        &mut self,
        inside: &[u8],
        kind: u32,
        mode: u32,
        staged_mode: u32,
        metadata: &Metadata,
        staged_owner: (u32, u32),
    ) -> Result<(), Error> {
        let mut fields = Vec::new();
        if mode != staged_mode {
            fields.push(format!("mode 0{:o}", kind | mode));
        }
        if metadata.uid != staged_owner.0 {
            fields.push(format!("uid {}", metadata.uid));
        }
        if metadata.gid != staged_owner.1 {
            fields.push(format!("gid {}", metadata.gid));
        }
        if fields.is_empty() && metadata.attributes.is_empty() {
            return Ok(());
        }
        let path = quote(inside)?;
        for field in fields {
            self.line(&[b"sif", &path, field.as_bytes()]);
        }
        for (name, value) in metadata.attributes.iter().filter(|(name, _)| is_kept(name)) {
            let file = self.attributes.join(self.attribute_files.to_string());
            self.attribute_files += 1;
            fs::write(&file, value).map_err(|source| Error::Io { path: file.clone(), source })?;
            self.line(&[b"ea_set", b"-f", &quote(file.as_os_str().as_bytes())?, &path, &quote(name)?]);
        }
        Ok(())
    }

    fn line(&mut self, words: &[&[u8]]) {
        self.script.extend(words.join(&b' '));
        self.script.push(b'\n');
    }
}

/// Namespaces that mean something inside a machine. Labels and access lists of the packing host do not.
fn is_kept(attribute: &[u8]) -> bool {
    attribute == b"security.capability" || attribute.starts_with(b"user.")
}

/// As one word of a `debugfs` command, where a doubled quote stands for one.
fn quote(text: &[u8]) -> Result<Vec<u8>, Error> {
    if text.contains(&b'\n') {
        return Err(Error::LineBreak(String::from_utf8_lossy(text).into_owned()));
    }
    let mut quoted = vec![b'"'];
    for byte in text {
        quoted.push(*byte);
        if *byte == b'"' {
            quoted.push(b'"');
        }
    }
    quoted.push(b'"');
    Ok(quoted)
}

fn set_modified(path: &Path, seconds: i64) -> io::Result<()> {
    let at = TimeSpec::new(clamp(seconds), 0);
    utimensat(nix::fcntl::AT_FDCWD, path, &at, &at, UtimensatFlags::NoFollowSymlink)?;
    Ok(())
}

/// What every ext4 tool agrees on.
fn clamp(seconds: i64) -> i64 {
    seconds.clamp(0, i64::from(i32::MAX))
}
