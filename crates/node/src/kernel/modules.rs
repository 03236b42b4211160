//! The modules a guest needs before it can see anything, in an order in which they can be loaded.
//!
//! Read from the modules themselves, because an unpacked package has no `modules.dep` yet.

use crate::driver::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One module, ready to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The devices every machine has, and the file system of its disk.
const NEEDED: [&str; 5] = ["virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "ext4"];
/// Works without.
const WELCOME: [&str; 1] = ["virtio_rng"];

/// Some distributions ship 30 MB modules for graphics; none of ours is near this.
const MODULE_MAX: u64 = 16 * 1024 * 1024;

/// Reads the modules of one kernel, those they depend on first.
pub fn load(directory: &Path) -> Result<Vec<Module>, Error> {
    let files = module_files(directory)?;
    let built_in = built_in(directory)?;
    let mut read = |name: &str| -> Result<Option<Found>, Error> {
        if built_in.contains(name) {
            return Ok(None);
        }
        let Some(path) = files.get(name) else {
            return Err(Error::Unavailable(format!("the kernel in `{}` has no `{name}`", directory.display())));
        };
        let bytes = read_module(path).map_err(Error::file("read the kernel module", path))?;
        let depends = information(&bytes, "depends").unwrap_or_default();
        let depends = depends.split(',').filter(|name| !name.is_empty()).map(normal).collect();
        Ok(Some(Found { bytes, depends }))
    };
    let mut modules = Vec::new();
    let mut seen = BTreeSet::new();
    for name in NEEDED {
        add(name, &mut read, &mut seen, &mut modules)?;
    }
    for name in WELCOME {
        if files.contains_key(name) {
            add(name, &mut read, &mut seen, &mut modules)?;
        }
    }
    Ok(modules)
}

/// A module that is not part of the kernel image, with the names of those it needs.
struct Found {
    bytes: Vec<u8>,
    depends: Vec<String>,
}

type Reader<'a> = dyn FnMut(&str) -> Result<Option<Found>, Error> + 'a;

fn add(name: &str, read: &mut Reader<'_>, seen: &mut BTreeSet<String>, modules: &mut Vec<Module>) -> Result<(), Error> {
    if !seen.insert(name.to_owned()) {
        return Ok(());
    }
    if let Some(Found { bytes, depends }) = read(name)? {
        for dependency in depends {
            add(&dependency, read, seen, modules)?;
        }
        modules.push(Module { name: name.to_owned(), bytes });
    }
    Ok(())
}

/// `-` and `_` are the same in a module's name.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// Every module file under `kernel/`, by its name.
fn module_files(directory: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut files = BTreeMap::new();
    let mut directories = vec![directory.join("kernel")];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(&next).map_err(Error::file("list the kernel modules in", &next))? {
            let entry = entry.map_err(Error::file("list the kernel modules in", &next))?;
            let path = entry.path();
            // Links could lead round in a circle.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(path);
            } else if let Some((name, _)) = entry.file_name().to_str().and_then(|name| name.split_once(".ko")) {
                files.insert(normal(name), path);
            }
        }
    }
    Ok(files)
}

/// Names of the modules that are part of the kernel image.
fn built_in(directory: &Path) -> Result<BTreeSet<String>, Error> {
    let path = directory.join("modules.builtin");
    let list = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let names = list.lines().filter_map(|line| line.rsplit('/').next()?.strip_suffix(".ko"));
    Ok(names.map(normal).collect())
}

fn read_module(path: &Path) -> io::Result<Vec<u8>> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let mut bytes = Vec::new();
    match extension {
        Some("zst") => zstd::Decoder::new(fs::File::open(path)?)?.take(MODULE_MAX).read_to_end(&mut bytes)?,
        Some("gz") => flate2::read::GzDecoder::new(fs::File::open(path)?).take(MODULE_MAX).read_to_end(&mut bytes)?,
        // `xz` is part of every system that unpacks Debian packages.
        Some("xz") => {
            let output = Command::new("xz").arg("-dc").arg(path).output()?;
            if !output.status.success() {
                return Err(io::Error::other("`xz` could not unpack it"));
            }
            bytes = output.stdout;
            bytes.len()
        }
        _ => fs::File::open(path)?.take(MODULE_MAX).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// A value that a module states about itself: `KEY=VALUE` between NUL bytes.
fn information(module: &[u8], key: &str) -> Option<String> {
    let wanted = format!("\0{key}=").into_bytes();
    // The statements begin a section, so the first one may follow anything; `depends` never is first
    // in what today's compilers make, and a module without one depends on nothing.
    let start = module.windows(wanted.len()).position(|window| window == wanted)? + wanted.len();
    let end = start + module[start..].iter().position(|byte| *byte == 0)?;
    String::from_utf8(module[start..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(modules: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let drivers = root.path().join("kernel/drivers");
        fs::create_dir_all(&drivers).unwrap();
        fs::write(root.path().join("modules.builtin"), "kernel/fs/ext4/ext4.ko\n").unwrap();
        for (name, depends) in modules {
            fs::write(drivers.join(format!("{name}.ko")), format!("\x7fELF\0license=GPL\0depends={depends}\0"))
                .unwrap();
        }
        root
    }

    const COMPLETE: [(&str, &str); 7] = [
        ("virtio", "virtio_ring"),
        ("virtio_ring", ""),
        ("virtio_mmio", "virtio,virtio_ring"),
        ("virtio_blk", "virtio,virtio_ring"),
        ("virtio_net", "virtio_ring,virtio"),
        ("virtio_console", "virtio,virtio_ring"),
        ("virtio-rng", "virtio,virtio_ring"),
    ];

    #[test]
    fn what_a_module_needs_is_loaded_before_it_and_once() {
        let root = kernel(&COMPLETE);
        let names: Vec<_> = load(root.path()).unwrap().into_iter().map(|module| module.name).collect();
        assert_eq!(
            names,
            ["virtio_ring", "virtio", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng"]
        );
    }

    #[test]
    fn a_kernel_without_a_needed_module_is_refused_by_name() {
        let root = kernel(&COMPLETE[..4]);
        let error = load(root.path()).unwrap_err().to_string();
        assert!(error.contains("`virtio_net`"), "{error}");
    }
}
