//! Finds a kernel: the configured one, else the one that `scripts/fetch-kernel` put into the cache,
//! else the host's own.

use super::Settings;
use crate::driver::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// A kernel image and its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFiles {
    pub image: PathBuf,
    /// The directory `lib/modules/RELEASE`.
    pub modules: PathBuf,
    pub release: String,
}

/// Where `scripts/fetch-kernel` unpacks a distribution's kernel package.
pub fn cache_directory() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("nullspace/kernel"))
}

/// The kernel to boot.
pub fn locate(settings: &Settings) -> Result<KernelFiles, Error> {
    if let Some(files) = &settings.kernel {
        return Ok(files.clone());
    }
    let roots = cache_directory().into_iter().chain([PathBuf::from("/")]);
    roots.filter_map(|root| best(kernels_under(&root))).next().ok_or_else(|| {
        Error::Unavailable(
            "there is no Linux kernel for machines: run `scripts/fetch-kernel`, which unpacks the \
             distribution's cloud kernel into ~/.cache/nullspace/kernel, or name one in the configuration"
                .into(),
        )
    })
}

/// Every `boot/vmlinuz-RELEASE` that can be read and has its modules beside it.
fn kernels_under(root: &Path) -> Vec<KernelFiles> {
    let Ok(entries) = fs::read_dir(root.join("boot")) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(release) = name.to_str().and_then(|name| name.strip_prefix("vmlinuz-")) else { continue };
        let homes = [root.join("lib/modules"), root.join("usr/lib/modules")];
        let modules = homes.into_iter().map(|home| home.join(release)).find(|home| home.join("kernel").is_dir());
        // Some distributions keep their kernels from ordinary users.
        if let (Some(modules), Ok(_)) = (modules, fs::File::open(entry.path())) {
            found.push(KernelFiles { image: entry.path(), modules, release: release.to_owned() });
        }
    }
    found
}

/// Kernels made for virtual machines first, because they boot in half the time; then the newest.
fn best(kernels: Vec<KernelFiles>) -> Option<KernelFiles> {
    kernels.into_iter().max_by_key(|files| {
        let virtual_machine = ["cloud", "kvm", "virtual"].iter().any(|word| files.release.contains(word));
        (virtual_machine, version(&files.release))
    })
}

/// The numbers in a release, so that 6.1.9 comes before 6.1.10.
fn version(release: &str) -> Vec<u64> {
    let numbers = release.split(|c: char| !c.is_ascii_digit()).filter(|text| !text.is_empty());
    numbers.map(|text| text.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_cloud_kernel_with_modules_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let boot = root.path().join("boot");
        fs::create_dir(&boot).unwrap();
        for release in ["6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64", "6.12.0-1-amd64", "7.0.0-cloud-amd64"] {
            fs::write(boot.join(format!("vmlinuz-{release}")), "kernel").unwrap();
            if release != "7.0.0-cloud-amd64" {
                fs::create_dir_all(root.path().join("lib/modules").join(release).join("kernel")).unwrap();
            }
        }
        assert_eq!(best(kernels_under(root.path())).unwrap().release, "6.1.0-10-cloud-amd64");
    }
}
