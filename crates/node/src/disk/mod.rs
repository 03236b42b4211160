//! Root disks: an image's layers become one raw, sparse ext4 file that any machine can start from.
//!
//! ```text
//! layers ──tar_reader──▶ tree + bytes ──stage──▶ plain files + script ──mke2fs, debugfs──▶ disk
//! ```
//!
//! No step needs root. The disk is about as large as its content; a machine puts a larger overlay on
//! it, and the agent grows the file system.

pub mod content;
pub mod layers;
mod stage;
pub(crate) mod tar_reader;
pub mod tools;
mod tree;

pub use layers::{Bounds, Layer};

use content::Content;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const BLOCK: u64 = 4096;
const MIB: u64 = 1024 * 1024;
/// Room for a grown file system of 1 TiB in the group descriptor table.
const GROWABLE_TO_BLOCKS: u64 = 1024 * 1024 * MIB / BLOCK;
/// Named one by one, because a newer `mke2fs` turns on more than an older guest kernel understands.
const FEATURES: &str = "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,\
                        huge_file,dir_nlink,extra_isize,metadata_csum,resize_inode";

/// A clean file system with an image's files, ready to be the backing of a machine's disk. Never written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootDisk {
    /// Raw ext4, sparse.
    pub path: PathBuf,
    /// Of its content, as [`content::read`] computes it.
    pub digest: String,
    /// Its length, holes included.
    pub size_bytes: u64,
}

/// Why a disk cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Layers(#[from] layers::Error),
    #[error(transparent)]
    Stage(#[from] stage::Error),
    #[error(transparent)]
    Tree(#[from] tree::Refused),
    #[error(transparent)]
    Tool(#[from] tools::Error),
    #[error("`debugfs` could not set what plain files cannot hold: {0}")]
    Script(String),
    #[error("cannot {doing} `{path}`", path = path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether layers, rather than this host, are at fault.
    pub fn is_bad_image(&self) -> bool {
        match self {
            Self::Layers(error) => {
                use layers::Error::{Archive, Digest, Refused, TooLarge};
                matches!(error, Archive { .. } | Refused { .. } | TooLarge(_) | Digest { .. })
            }
            Self::Stage(stage::Error::LineBreak(_)) | Self::Tree(_) => true,
            Self::Stage(_) | Self::Tool(_) | Self::Script(_) | Self::Io { .. } => false,
        }
    }
}

/// Makes a disk of layers, lowest first, as a synced read-only file in `scratch`, for the caller to name or
/// drop. Equal `seed` and layers give the same file system id.
pub fn build(
    layers: &[Layer],
    seed: &str,
    bounds: Bounds,
    scratch: &Path,
) -> Result<(tempfile::NamedTempFile, Content), Error> {
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { doing, path, source }
    };
    let work =
        tempfile::Builder::new().prefix("disk-").tempdir_in(scratch).map_err(io("make a directory in", scratch))?;
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o700)).map_err(io("close", work.path()))?;
    let data = work.path().join("data");
    fs::create_dir(&data).map_err(io("make directory", &data))?;
    let mut merged = layers::merge(layers, &data, bounds)?;
    // Mount points that every machine needs.
    for (name, mode) in [("proc", 0o555), ("sys", 0o555), ("dev", 0o755), ("run", 0o755), ("tmp", 0o1777)] {
        merged.tree.ensure_directory(name.as_bytes(), mode)?;
    }
    let shape = Shape::of(&merged);
    let staged = stage::lay_out(&merged.tree, &data, work.path())?;
    let disk = tempfile::Builder::new().prefix("disk-").tempfile_in(scratch).map_err(io("make a file in", scratch))?;
    make_file_system(&staged.root, &disk, shape, seed)?;
    let script = work.path().join("script");
    fs::write(&script, &staged.script).map_err(io("write", &script))?;
    run_script(&script, disk.path())?;
    let finish = |file: &File| {
        file.set_permissions(fs::Permissions::from_mode(0o444))?;
        file.sync_all()
    };
    finish(disk.as_file()).map_err(io("sync", disk.path()))?;
    let content = content::read(disk.path()).map_err(io("read", disk.path()))?;
    Ok((disk, content))
}

/// How large a file system is made.
#[derive(Debug, Clone, Copy)]
struct Shape {
    bytes: u64,
    inodes: u64,
    journal_mib: u64,
}

impl Shape {
    fn of(merged: &layers::Merged) -> Self {
        let content = merged.blocks(BLOCK) * BLOCK;
        let nodes = merged.tree.nodes().count() as u64;
        // One inode for every 16 KiB, and a quarter more than there are files: growth keeps the ratio.
        let inodes = (content / (16 * 1024)).max(nodes + nodes / 4 + 1024);
        // Build machines write a lot through a small journal; tiny images should stay tiny.
        let journal_mib = if content < 64 * MIB { 4 } else { 16 };
        let fixed = inodes * 256 + journal_mib * MIB + GROWABLE_TO_BLOCKS / 32768 * 64;
        let slack = content / 16 + 16 * MIB;
        Self { bytes: (content + fixed + slack).next_multiple_of(MIB), inodes, journal_mib }
    }

    fn larger(self) -> Self {
        Self { bytes: (self.bytes + self.bytes / 2).next_multiple_of(MIB), ..self }
    }
}

fn make_file_system(root: &Path, disk: &tempfile::NamedTempFile, shape: Shape, seed: &str) -> Result<(), Error> {
    let path = disk.path();
    match mke2fs(root, path, shape, seed) {
        // How much a tree takes is an estimate; a wrong one costs a second try.
        Err(tools::Error::Failed { messages, .. })
            if messages.contains("Could not allocate") || messages.contains("No free space") =>
        {
            tracing::warn!("root disk of {} bytes was too small, trying a larger one", shape.bytes);
            disk.as_file().set_len(0).map_err(|source| Error::Io { doing: "empty", path: path.to_owned(), source })?;
            Ok(mke2fs(root, path, shape.larger(), seed)?)
        }
        result => Ok(result.map(drop)?),
    }
}

fn mke2fs(root: &Path, disk: &Path, shape: Shape, seed: &str) -> Result<(), tools::Error> {
    let id = uuid(seed);
    let resize = GROWABLE_TO_BLOCKS.max(shape.bytes / BLOCK * 2);
    let mut arguments: Vec<String> = Vec::new();
    for part in
        ["-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-L", "root", "-O", FEATURES, "-U", &id]
    {
        arguments.push(part.into());
    }
    arguments.extend(["-N".into(), shape.inodes.to_string(), "-J".into(), format!("size={}", shape.journal_mib)]);
    arguments.push("-E".into());
    arguments.push(format!("hash_seed={id},resize={resize},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"));
    arguments.extend([
        "-d".into(),
        root.display().to_string(),
        disk.display().to_string(),
        format!("{}k", shape.bytes / 1024),
    ]);
    tools::MKE2FS.run(arguments).map(drop)
}

/// `debugfs` goes on after a command that failed and tells nobody, so everything it says is a failure.
fn run_script(script: &Path, disk: &Path) -> Result<(), Error> {
    let messages = tools::DEBUGFS.run([Path::new("-w"), Path::new("-f"), script, disk])?;
    let complaints: Vec<_> =
        messages.lines().filter(|line| !line.starts_with("debugfs 1.") && !line.is_empty()).take(5).collect();
    if complaints.is_empty() { Ok(()) } else { Err(Error::Script(complaints.join("; "))) }
}

/// From the seed, so that the same image gets the same file system id.
fn uuid(seed: &str) -> String {
    let hash = hex::encode(Sha256::digest(seed));
    format!("{}-{}-4{}-8{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32])
}

#[cfg(test)]
mod tests;
