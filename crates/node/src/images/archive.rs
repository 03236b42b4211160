//! Imports images from files: OCI layouts (a directory, or that as a tar) and `docker save` archives.
//!
//! An archive is read once, front to back: its blobs go into the store as they come, and what it says
//! about them is looked at when it ended. Names in it are keys of a table here, never paths on the host.

use super::blobs::{BlobDigest, Blobs};
use super::manifest::{self, DOCUMENT_MAX, Descriptor, Manifest, Parsed};
use super::name::ImageName;
use super::{failed, pack};
use crate::api::ImageError;
use crate::disk::layers::decompress;
use crate::disk::tar_reader::{Kind, Reader};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// Files in one archive. A `docker save` of hundreds of images has a few thousand.
const ENTRIES_MAX: usize = 100_000;
/// An index in an index in an index is the deepest that tools make.
const INDEX_DEPTH_MAX: usize = 4;

/// Brings an archive's image into the store, and gives its manifest's digest.
pub fn import(blobs: &Blobs, name: &ImageName, path: &Path) -> Result<BlobDigest, ImageError> {
    let importing = Importing { blobs, name, path };
    let metadata = fs::metadata(path).map_err(failed(format!("open `{}`", path.display())))?;
    let files =
        if metadata.is_dir() { Files::Directory(path.to_owned()) } else { Files::Archive(importing.read_archive()?) };
    if let Some(index) = importing.document(&files, "index.json")? {
        return importing.read_layout(&files, &index);
    }
    match importing.document(&files, "manifest.json")? {
        Some(manifest) => importing.read_docker_save(&files, &manifest),
        None => Err(importing.invalid("it has neither `index.json` (OCI layout) nor `manifest.json` (`docker save`)")),
    }
}

/// Where the files of an archive are now.
enum Files {
    Directory(PathBuf),
    Archive(BTreeMap<String, Place>),
}

enum Place {
    Blob { digest: BlobDigest, size: u64 },
    Link { to: String },
}

struct Importing<'a> {
    blobs: &'a Blobs,
    name: &'a ImageName,
    path: &'a Path,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Importing<'_> {
    fn invalid(&self, detail: impl Into<String>) -> ImageError {
        ImageError::Invalid { name: self.path.display().to_string(), detail: detail.into() }
    }

    fn read_archive(&self) -> Result<BTreeMap<String, Place>, ImageError> {
        let opening = || format!("open `{}`", self.path.display());
        let file = File::open(self.path).map_err(failed(opening()))?;
        let mut reader = Reader::new(decompress(BufReader::new(file)).map_err(failed(opening()))?);
        let mut files = BTreeMap::new();
        while let Some(entry) = reader.next_entry().map_err(|error| self.invalid(super::chain(&error)))? {
            if files.len() >= ENTRIES_MAX {
                return Err(self.invalid(format!("it holds more than {ENTRIES_MAX} files")));
            }
            let path = normal(&String::from_utf8_lossy(&entry.path));
            match entry.kind {
                Kind::File => {
                    let (digest, size) = self.blobs.put_from(reader.data())?;
                    if size != entry.size {
                        return Err(self.invalid(format!("`{path}` ends too early")));
                    }
                    if let Some(named) = path.strip_prefix("blobs/sha256/")
                        && named != digest.hex()
                    {
                        self.blobs.remove(&digest)?;
                        return Err(self.invalid(format!("`{path}` holds {digest}")));
                    }
                    files.insert(path, Place::Blob { digest, size });
                }
                // Older `docker save` stores a layer once and links to it.
                Kind::Symlink(to) => {
                    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let to = normal(&format!("{parent}/{}", String::from_utf8_lossy(&to)));
                    files.insert(path, Place::Link { to });
                }
                Kind::HardLink(to) => {
                    files.insert(path, Place::Link { to: normal(&String::from_utf8_lossy(&to)) });
                }
                _ => {}
            }
        }
        Ok(files)
    }

    /// A small file of the archive, if it has one of that name.
    fn document(&self, files: &Files, path: &str) -> Result<Option<Vec<u8>>, ImageError> {
        match files {
            Files::Archive(places) => match find(places, path) {
                Some((digest, _)) => self.blobs.read(&digest, DOCUMENT_MAX).map(Some),
                None => Ok(None),
            },
            Files::Directory(directory) => match File::open(directory.join(path)) {
                Ok(file) => {
                    let mut bytes = Vec::new();
                    let read = file.take(DOCUMENT_MAX).read_to_end(&mut bytes);
                    read.map_err(failed(format!("read `{path}` of `{}`", directory.display())))?;
                    Ok(Some(bytes))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(format!("read `{path}` of `{}`", directory.display()))(error)),
            },
        }
    }

    /// Has a blob in the store, from a directory if need be.
    fn bring(&self, files: &Files, digest: &BlobDigest) -> Result<(), ImageError> {
        if let Files::Directory(directory) = files
            && !self.blobs.has(digest)
        {
            let path = directory.join("blobs/sha256").join(digest.hex());
            let file =
                File::open(&path).map_err(|error| self.invalid(format!("blob {digest} cannot be read: {error}")))?;
            let (found, _) = self.blobs.put_from(file)?;
            if found != *digest {
                self.blobs.remove(&found)?;
                return Err(self.invalid(format!("blob {digest} holds {found}")));
            }
        }
        if self.blobs.has(digest) { Ok(()) } else { Err(self.invalid(format!("blob {digest} is missing"))) }
    }

    fn read_layout(&self, files: &Files, index: &[u8]) -> Result<BlobDigest, ImageError> {
        let index: Index =
            serde_json::from_slice(index).map_err(|error| self.invalid(format!("`index.json`: {error}")))?;
        let chosen = self.choose(&index.manifests)?;
        let mut digest = BlobDigest::parse(&chosen.digest)
            .ok_or_else(|| self.invalid(format!("`{}` is no SHA-256 digest", chosen.digest)))?;
        for _ in 0..INDEX_DEPTH_MAX {
            self.bring(files, &digest)?;
            match manifest::parse(&self.path.display().to_string(), &self.blobs.read(&digest, DOCUMENT_MAX)?)? {
                Parsed::Index { ours } => digest = ours.digest,
                Parsed::Image(Manifest { config, layers }) => {
                    for blob in layers.iter().chain([&config]) {
                        self.bring(files, &blob.digest)?;
                    }
                    return Ok(digest);
                }
            }
        }
        Err(self.invalid("its indexes lead nowhere"))
    }

    /// The entry that is named as asked, or else the only one (for this platform, if there are several).
    fn choose<'b>(&self, entries: &'b [Descriptor]) -> Result<&'b Descriptor, ImageError> {
        let names = |entry: &'b Descriptor| {
            let keys = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
            keys.into_iter().filter_map(|key| entry.annotations.get(key)).map(String::as_str)
        };
        let tag = self.name.reference.tag().unwrap_or_default();
        let asked = |text: &str| ImageName::parse(text).is_ok_and(|found| found.full() == self.name.full());
        let by_name = entries.iter().find(|entry| names(entry).any(asked));
        let by_tag = || entries.iter().find(|entry| names(entry).any(|text| text == tag));
        let ours = |entry: &&Descriptor| {
            entry.platform.as_ref().is_none_or(|on| on.os == "linux" && on.architecture == "amd64")
        };
        let mut left = entries.iter().filter(ours);
        let only = match (left.next(), left.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        by_name.or_else(by_tag).or(only).or(if entries.len() == 1 { entries.first() } else { None }).ok_or_else(|| {
            let have: Vec<_> = entries.iter().flat_map(names).collect();
            self.invalid(format!(
                "it holds {} images ({}) and none is called `{}`",
                entries.len(),
                have.join(", "),
                self.name.given
            ))
        })
    }

    fn read_docker_save(&self, files: &Files, manifest: &[u8]) -> Result<BlobDigest, ImageError> {
        let saved: Vec<Saved> =
            serde_json::from_slice(manifest).map_err(|error| self.invalid(format!("`manifest.json`: {error}")))?;
        let tags = |image: &Saved| image.repo_tags.clone().unwrap_or_default();
        let asked = |tag: &String| ImageName::parse(tag).is_ok_and(|found| found.full() == self.name.full());
        let image = saved.iter().find(|image| tags(image).iter().any(asked)).or(if saved.len() == 1 {
            saved.first()
        } else {
            None
        });
        let image = image.ok_or_else(|| {
            let have: Vec<_> = saved.iter().flat_map(tags).collect();
            self.invalid(format!(
                "it holds {} images ({}) and none is called `{}`",
                saved.len(),
                have.join(", "),
                self.name.given
            ))
        })?;
        let blob = |path: &String| {
            let found = match files {
                Files::Archive(places) => find(places, path),
                Files::Directory(directory) => self.put_file(directory, path)?,
            };
            found.ok_or_else(|| self.invalid(format!("`{path}` is missing")))
        };
        let (config, config_size) = blob(&image.config)?;
        manifest::parse_config(&self.name.given, &self.blobs.read(&config, DOCUMENT_MAX)?)?;
        let mut layers = Vec::new();
        for path in &image.layers {
            let (layer, size) = blob(path)?;
            layers.push(pack::descriptor("application/vnd.oci.image.layer.v1.tar", &layer, size));
        }
        self.blobs.put(&pack::manifest_bytes(pack::descriptor(manifest::CONFIG, &config, config_size), layers))
    }

    /// A file of an unpacked `docker save`.
    fn put_file(&self, directory: &Path, path: &str) -> Result<Option<(BlobDigest, u64)>, ImageError> {
        match File::open(directory.join(normal(path))) {
            Ok(file) => self.blobs.put_from(file).map(Some),
            Err(_) => Ok(None),
        }
    }
}

fn find(places: &BTreeMap<String, Place>, path: &str) -> Option<(BlobDigest, u64)> {
    let mut path = normal(path);
    // A link to a link is the longest chain that tools make.
    for _ in 0..4 {
        match places.get(&path)? {
            Place::Blob { digest, size } => return Some((digest.clone(), *size)),
            Place::Link { to } => path.clone_from(to),
        }
    }
    None
}

/// A path without `.`, `..` and empty parts.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
