//! The images of one host: pulled, imported or made from packages, each file of them stored once.
//!
//! ```text
//! DIR/names/…json          which name stands for which manifest
//! DIR/blobs/<sha256>       manifests, configurations, layers
//! DIR/disks/…ext4         images as root disks, by digest of manifest and content
//! DIR/partial, DIR/work    what is on its way; work is emptied when the store is opened
//! ```
//!
//! A file under its final name is whole and was verified. Removing a name removes what no other name needs,
//! once nothing is being added: an image on its way has blobs and no name yet.

mod archive;
mod blobs;
mod bootstrap;
mod flight;
mod manifest;
mod name;
mod pack;
pub mod probe;
mod pull;
mod records;
mod registry;

use crate::api::{ImageError, ImageInfo, ImageProgress, ImageSource, RegistryAuth};
use crate::disk::{self, RootDisk};
use blobs::{BlobDigest, Blobs};
use flight::Flights;
use manifest::{DOCUMENT_MAX, Manifest, Parsed};
use name::ImageName;
use records::{Record, Records};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard, RwLock, mpsc};

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
    /// Where bootstrapped images are kept for other data directories: the user's cache directory; none to keep none.
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
            bootstrap_cache: user_cache(),
            debian_mirror: None,
        }
    }
}

/// `$XDG_CACHE_HOME/nullspace/images`, if this user has a home.
fn user_cache() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let cache = std::env::var_os("XDG_CACHE_HOME").and_then(|path| absolute(path.into()));
    let home = || std::env::var_os("HOME").and_then(|path| absolute(path.into())).map(|home| home.join(".cache"));
    Some(cache.or_else(home)?.join("nullspace/images"))
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
pub struct ImageStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    settings: Settings,
    blobs: Blobs,
    records: Records,
    /// One pull of a name, one disk of an image, at a time.
    flights: Flights,
    /// Read while something is being added, written while what nobody needs is removed.
    adding: Arc<RwLock<()>>,
    collect_due: AtomicBool,
}

/// How far a disk is made like those before it. A change here makes every disk anew.
const DISK_FORMAT: &str = "1";

#[derive(Debug, Serialize, Deserialize)]
struct DiskRecord {
    format: String,
    digest: String,
    size_bytes: u64,
}

impl ImageStore {
    /// Opens the store in a directory, making it if it is not there.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, ImageError> {
        let work = directory.join("work");
        bootstrap::remove_tree(&work).map_err(failed("clear the image store's work directory"))?;
        for path in [work, directory.join("disks")] {
            fs::create_dir_all(&path).map_err(failed(format!("make directory `{}`", path.display())))?;
        }
        let shared = Shared {
            blobs: Blobs::open(directory)?,
            records: Records::open(directory)?,
            directory: directory.to_owned(),
            settings,
            flights: Flights::default(),
            adding: Arc::default(),
            // What an interrupted add left has no name.
            collect_due: AtomicBool::new(true),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The image of that name, from this host or else from its registry.
    pub async fn ensure(
        &self,
        reference: &str,
        auth: Option<&RegistryAuth>,
        progress: &mpsc::Sender<ImageProgress>,
    ) -> Result<Image, ImageError> {
        let name = ImageName::parse(reference)?;
        if let Some(image) = self.local(&name).await? {
            return Ok(image);
        }
        let busy = self.busy(&name.full()).await;
        if let Some(image) = self.local(&name).await? {
            return Ok(image); // Somebody pulled it while we waited.
        }
        self.add_alone(&name, ImageSource::Registry { auth: auth.cloned() }, progress, busy).await?;
        self.local(&name).await?.ok_or_else(|| ImageError::NotFound(reference.to_owned()))
    }

    /// Makes an image available under a name, also if it is here already.
    pub async fn add(
        &self,
        name: &str,
        source: ImageSource,
        progress: &mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, ImageError> {
        let name = ImageName::parse(name)?;
        let busy = self.busy(&name.full()).await;
        self.add_alone(&name, source, progress, busy).await
    }

    /// Every image, by name.
    pub async fn list(&self) -> Result<Vec<ImageInfo>, ImageError> {
        let shared = self.shared.clone();
        let records = blocking(move || shared.records.list()).await?;
        Ok(records.iter().map(Record::info).collect())
    }

    /// Forgets a name, and what no other name needs.
    pub async fn remove(&self, name: &str) -> Result<(), ImageError> {
        let parsed = ImageName::parse(name)?;
        let shared = self.shared.clone();
        let was_there = blocking(move || shared.records.remove(&parsed)).await?;
        self.shared.collect_due.store(true, Ordering::Release);
        self.collect_if_idle().await?;
        if was_there { Ok(()) } else { Err(ImageError::NotFound(name.to_owned())) }
    }

    /// An image as a disk, made at first need and kept.
    pub async fn root_disk(&self, image: &Image) -> Result<RootDisk, ImageError> {
        let busy = self.busy(&image.digest).await;
        let (shared, image) = (self.shared.clone(), image.clone());
        blocking(move || {
            let _busy = busy;
            shared.root_disk(&image)
        })
        .await
    }

    /// Adds while nobody else adds the same name.
    async fn add_alone(
        &self,
        name: &ImageName,
        source: ImageSource,
        progress: &mpsc::Sender<ImageProgress>,
        busy: Busy,
    ) -> Result<ImageInfo, ImageError> {
        let added = self.bring(name, source, progress, busy).await;
        // Also what a failed add left, and what the name stood for before.
        self.shared.collect_due.store(true, Ordering::Release);
        if let Err(error) = self.collect_if_idle().await {
            tracing::warn!("cannot remove what no image needs: {error}");
        }
        added
    }

    /// Work on files goes on when its caller went away, and keeps others out until it has ended.
    async fn bring(
        &self,
        name: &ImageName,
        source: ImageSource,
        progress: &mpsc::Sender<ImageProgress>,
        busy: Busy,
    ) -> Result<ImageInfo, ImageError> {
        let (shared, name, progress) = (self.shared.clone(), name.clone(), progress.clone());
        if let ImageSource::Registry { auth } = &source {
            let Shared { blobs, flights, settings, .. } = &*self.shared;
            let pull = pull::Pull { blobs, flights, settings, name: &name, progress: &progress };
            let manifest = pull.run(auth.as_ref()).await?;
            return blocking(move || {
                let _busy = busy;
                shared.name_image(&name, &manifest, "registry")
            })
            .await;
        }
        blocking(move || {
            let _busy = busy;
            let Shared { directory, settings, blobs, .. } = &*shared;
            let (manifest, word) = match &source {
                ImageSource::Archive(path) => {
                    say(&progress, format!("reading `{}`", path.display()));
                    (archive::import(blobs, &name, path)?, "import")
                }
                ImageSource::Bootstrap(recipe) => {
                    (bootstrap::make(blobs, &directory.join("work"), settings, recipe, &progress)?, "bootstrap")
                }
                ImageSource::Registry { .. } => unreachable!("pulled above"),
            };
            shared.name_image(&name, &manifest, word)
        })
        .await
    }

    /// Waits until nobody else is at `key`, and holds off the removal of what no name needs.
    async fn busy(&self, key: &str) -> Busy {
        Busy { _only: self.shared.flights.enter(key).await, _adding: self.shared.adding.clone().read_owned().await }
    }

    /// The image of that name, if it is here and its documents are whole.
    async fn local(&self, name: &ImageName) -> Result<Option<Image>, ImageError> {
        let (shared, name) = (self.shared.clone(), name.clone());
        blocking(move || shared.local(&name)).await
    }

    /// Removes what no name needs, unless something is being added: then whoever adds does it at the end.
    async fn collect_if_idle(&self) -> Result<(), ImageError> {
        let Ok(alone) = self.shared.adding.clone().try_write_owned() else { return Ok(()) };
        if !self.shared.collect_due.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let shared = self.shared.clone();
        blocking(move || {
            let _alone = alone;
            shared.collect()
        })
        .await
    }
}

/// Held as long as something is being added or made.
struct Busy {
    _only: OwnedMutexGuard<()>,
    _adding: OwnedRwLockReadGuard<()>,
}

impl Shared {
    fn local(&self, name: &ImageName) -> Result<Option<Image>, ImageError> {
        let Some(record) = self.records.get(name)? else { return Ok(None) };
        let Some(digest) = BlobDigest::parse(&record.manifest) else { return Ok(None) };
        let (manifest, config) = self.documents(name, &digest)?;
        if let Some(missing) = manifest.layers.iter().find(|layer| !self.blobs.has(&layer.digest)) {
            tracing::warn!("image `{}` lost layer {}, and is fetched again", name.given, missing.digest);
            return Ok(None);
        }
        Ok(Some(Image { name: name.given.clone(), digest: record.manifest, config: config.defaults() }))
    }

    fn documents(&self, name: &ImageName, digest: &BlobDigest) -> Result<(Manifest, manifest::ConfigFile), ImageError> {
        let manifest = self.manifest(&name.given, digest)?;
        let config = manifest::parse_config(&name.given, &self.blobs.read(&manifest.config.digest, DOCUMENT_MAX)?)?;
        Ok((manifest, config))
    }

    fn manifest(&self, name: &str, digest: &BlobDigest) -> Result<Manifest, ImageError> {
        match manifest::parse(name, &self.blobs.read(digest, DOCUMENT_MAX)?)? {
            Parsed::Image(manifest) => Ok(manifest),
            Parsed::Index { .. } => {
                Err(ImageError::Invalid { name: name.into(), detail: "its manifest is an index".into() })
            }
        }
    }

    /// Writes down what a name stands for, once everything of it is here.
    fn name_image(&self, name: &ImageName, digest: &BlobDigest, source: &str) -> Result<ImageInfo, ImageError> {
        let (manifest, _) = self.documents(name, digest)?;
        let mut size_bytes = 0;
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            let path = self.blobs.path(&blob.digest);
            let metadata =
                fs::metadata(&path).map_err(failed(format!("find layer {} of `{}`", blob.digest, name.given)))?;
            size_bytes += metadata.len();
        }
        let record = Record {
            name: name.given.clone(),
            full: name.full(),
            manifest: digest.to_string(),
            size_bytes,
            created_at: nullspace_domain::Timestamp::now(),
            source: source.into(),
        };
        self.records.put(&record, name)?;
        Ok(record.info())
    }

    fn root_disk(&self, image: &Image) -> Result<RootDisk, ImageError> {
        let name = ImageName::parse(&image.name)?;
        let digest = BlobDigest::parse(&image.digest).ok_or_else(|| ImageError::NotFound(image.name.clone()))?;
        if let Some(disk) = self.made_disk(&digest) {
            return Ok(disk);
        }
        if !self.blobs.has(&digest) {
            return Err(ImageError::NotFound(image.name.clone()));
        }
        let (manifest, config) = self.documents(&name, &digest)?;
        let mut diff_ids = config.rootfs.diff_ids.into_iter();
        let layers: Vec<_> = manifest
            .layers
            .iter()
            .map(|layer| disk::Layer { path: self.blobs.path(&layer.digest), diff_id: diff_ids.next() })
            .collect();
        let scratch = self.directory.join("work");
        let (disk, content) = disk::build(&layers, &image.digest, disk::Bounds::default(), &scratch)
            .map_err(|error| disk_error(&image.name, &error))?;
        let doing = || format!("store the disk of `{}`", image.name);
        let record = DiskRecord { format: DISK_FORMAT.into(), digest: content.digest, size_bytes: content.size_bytes };
        let path = self.disk_path(&digest, &record);
        disk.persist(&path).map_err(|error| failed(doing())(error.error))?;
        let bytes = serde_json::to_vec(&record).expect("a record is plain data");
        // The disk is synced; a record without its disk, or half a record, only means making it again.
        fs::write(self.disk_record_path(&digest), bytes).map_err(failed(doing()))?;
        blobs::sync_directory(&self.directory.join("disks"))?;
        Ok(RootDisk { path, digest: record.digest, size_bytes: record.size_bytes })
    }

    /// The disk of an image, if it was made before.
    fn made_disk(&self, manifest: &BlobDigest) -> Option<RootDisk> {
        let record = self.disk_record(manifest)?;
        let path = self.disk_path(manifest, &record);
        let length = fs::metadata(&path).ok()?.len();
        (record.format == DISK_FORMAT && length == record.size_bytes).then_some(RootDisk {
            path,
            digest: record.digest,
            size_bytes: record.size_bytes,
        })
    }

    fn disk_record(&self, manifest: &BlobDigest) -> Option<DiskRecord> {
        serde_json::from_slice(&fs::read(self.disk_record_path(manifest)).ok()?).ok()
    }

    fn disk_record_path(&self, manifest: &BlobDigest) -> PathBuf {
        self.directory.join("disks").join(format!("{}.json", manifest.hex()))
    }

    /// Its content is in its name: a disk that is made again has its blocks elsewhere, and must not take the place
    /// of one that is the backing of something.
    fn disk_path(&self, manifest: &BlobDigest, record: &DiskRecord) -> PathBuf {
        let content = record.digest.trim_start_matches("sha256:");
        self.directory.join("disks").join(format!("{}-{content}.ext4", manifest.hex()))
    }

    fn collect(&self) -> Result<(), ImageError> {
        self.blobs.remove_old_partials()?;
        let mut needed = BTreeSet::new();
        let mut disks = BTreeSet::new();
        for record in self.records.list()? {
            let Some(digest) = BlobDigest::parse(&record.manifest) else { continue };
            if let Ok(manifest) = self.manifest(&record.name, &digest) {
                needed.extend(manifest.layers.into_iter().chain([manifest.config]).map(|blob| blob.digest));
            }
            disks.insert(self.disk_record_path(&digest));
            disks.extend(self.made_disk(&digest).map(|disk| disk.path));
            needed.insert(digest);
        }
        for digest in self.blobs.list()? {
            if !needed.contains(&digest) {
                self.blobs.remove(&digest)?;
            }
        }
        let directory = self.directory.join("disks");
        for entry in fs::read_dir(&directory).map_err(failed("list root disks"))? {
            let path = entry.map_err(failed("list root disks"))?.path();
            if !disks.contains(&path) {
                fs::remove_file(&path).map_err(failed(format!("remove `{}`", path.display())))?;
            }
        }
        Ok(())
    }
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(failed("finish work on images")(error)),
    }
}

/// Tells whoever listens. Nobody waits for a listener, and none is needed.
fn say(progress: &mpsc::Sender<ImageProgress>, message: impl Into<String>) {
    let _ = progress.try_send(ImageProgress { message: message.into(), done_bytes: None, total_bytes: None });
}

/// Says what was being tried, and what to do about a full disk.
fn failed<E: std::error::Error>(doing: impl Into<String>) -> impl FnOnce(E) -> ImageError {
    let doing = doing.into();
    move |error| {
        let mut detail = chain(&error);
        if detail.contains("No space left on device") {
            detail.push_str(
                " (free some room under the data directory: `nullspace image rm` removes images that are not needed)",
            );
        }
        ImageError::Failed { doing, detail }
    }
}

/// An error with its causes, for the variants that carry text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn disk_error(name: &str, error: &disk::Error) -> ImageError {
    if error.is_bad_image() {
        return ImageError::Invalid { name: name.into(), detail: chain(error) };
    }
    failed(format!("make a root disk of `{name}`"))(error)
}

#[cfg(test)]
mod registry_tests;
#[cfg(test)]
mod tests;
