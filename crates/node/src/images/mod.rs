//! The images of one host: pulled, imported or made from packages, each file of them stored once.

use crate::api::{ImageError, ImageInfo, ImageProgress, ImageSource, RegistryAuth};
use crate::disk::RootDisk;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// How a host gets its images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// By registry host (`docker.io`), where to ask first: `https://host[:port][/prefix]` or `http://…`.
    pub mirrors: BTreeMap<String, String>,
    /// Where names without a host are pulled from.
    pub default_registry: String,
    /// The longest a whole pull may take.
    pub pull_timeout: Duration,
    /// Registries (`host:port`) spoken to without TLS.
    pub allow_http: Vec<String>,
    /// PEM certificates trusted for registries besides the host's own.
    pub extra_ca: Option<PathBuf>,
    /// Where bootstrapped images are kept for other data directories; none to keep none.
    pub bootstrap_cache: Option<PathBuf>,
    /// Where Debian packages come from; the host's own source if none is named.
    pub debian_mirror: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mirrors: BTreeMap::new(),
            default_registry: "docker.io".into(),
            // The largest common images (10 GB) take this long at 6 MB/s.
            pull_timeout: Duration::from_secs(30 * 60),
            allow_http: Vec::new(),
            extra_ca: None,
            bootstrap_cache: None,
            debian_mirror: None,
        }
    }
}

/// An image that is here, and what it says about the processes run in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// As it was given.
    pub name: String,
    /// Of its manifest.
    pub digest: String,
    pub config: ImageDefaults,
}

/// What an image's author chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageDefaults {
    pub env: BTreeMap<String, String>,
    pub user: Option<String>,
    pub workdir: Option<String>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// As written, `8000/tcp`.
    pub exposed_ports: Vec<String>,
    pub labels: BTreeMap<String, String>,
}

/// The images of one host, in one directory.
#[derive(Debug)]
#[expect(dead_code, reason = "its operations follow")]
pub struct ImageStore {
    directory: PathBuf,
    settings: Settings,
}

impl ImageStore {
    /// Opens the store in a directory, making it if it is not there.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, ImageError> {
        Ok(Self { directory: directory.to_owned(), settings })
    }

    /// The image of that name, from this host or else from its registry.
    pub async fn ensure(
        &self,
        reference: &str,
        _auth: Option<&RegistryAuth>,
        _progress: &mpsc::Sender<ImageProgress>,
    ) -> Result<Image, ImageError> {
        Err(ImageError::NotFound(reference.into()))
    }

    /// Makes an image available under a name, also if it is here already.
    pub async fn add(
        &self,
        name: &str,
        _source: ImageSource,
        _progress: &mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, ImageError> {
        Err(ImageError::NotFound(name.into()))
    }

    /// Every image, by name.
    pub async fn list(&self) -> Result<Vec<ImageInfo>, ImageError> {
        Ok(Vec::new())
    }

    /// Forgets a name, and what no other name needs.
    pub async fn remove(&self, name: &str) -> Result<(), ImageError> {
        Err(ImageError::NotFound(name.into()))
    }

    /// An image as a disk, made at first need and kept.
    pub async fn root_disk(&self, image: &Image) -> Result<RootDisk, ImageError> {
        Err(ImageError::NotFound(image.name.clone()))
    }
}
