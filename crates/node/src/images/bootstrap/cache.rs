//! Images that took long to make, kept per user as OCI layouts. Everything works without it, and what is
//! damaged or old in it is as good as not there.

use super::failed;
use crate::api::ImageError;
use crate::images::blobs::{BlobDigest, Blobs};
use crate::images::manifest::{self, DOCUMENT_MAX, Parsed};
use crate::images::name::ImageName;
use crate::images::{archive, pack};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// After a month the distribution has fixed enough that a fresh image is worth its minute.
const AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Takes an image from the cache into the store.
pub fn load(blobs: &Blobs, directory: &Path, key: &str) -> Option<BlobDigest> {
    let layout = directory.join(key);
    let made = fs::metadata(layout.join("index.json")).and_then(|metadata| metadata.modified()).ok()?;
    if SystemTime::now().duration_since(made).is_ok_and(|age| age > AGE_MAX) {
        return None;
    }
    let name = ImageName::parse("bootstrapped").expect("a plain word is a name");
    match archive::import(blobs, &name, &layout) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            tracing::warn!("the cached image `{}` is not used: {error}", layout.display());
            None
        }
    }
}

/// Copies an image from the store into the cache; it appears there whole or not at all.
pub fn store(blobs: &Blobs, directory: &Path, key: &str, manifest: &BlobDigest) -> Result<(), ImageError> {
    let doing = || format!("write to `{}`", directory.display());
    let bytes = blobs.read(manifest, DOCUMENT_MAX)?;
    let Parsed::Image(image) = manifest::parse(key, &bytes)? else {
        return Err(failed(doing())(io::Error::other("only an image can be kept")));
    };
    let write = || {
        fs::create_dir_all(directory)?;
        let layout = tempfile::Builder::new().prefix(".new-").tempdir_in(directory)?;
        let inside = layout.path().join("blobs/sha256");
        fs::create_dir_all(&inside)?;
        for digest in image.layers.iter().chain([&image.config]).map(|blob| &blob.digest).chain([manifest]) {
            fs::copy(blobs.path(digest), inside.join(digest.hex()))?;
        }
        fs::write(layout.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let entry = pack::descriptor(manifest::MANIFEST, manifest, bytes.len() as u64);
        let index = serde_json::json!({"schemaVersion": 2, "mediaType": manifest::INDEX, "manifests": [entry]});
        fs::write(layout.path().join("index.json"), index.to_string())?;
        let target = directory.join(key);
        match fs::remove_dir_all(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let layout = layout.keep();
        fs::rename(&layout, &target).or_else(|error| {
            // Another server was first with the same image.
            fs::remove_dir_all(&layout)?;
            if target.exists() { Ok(()) } else { Err(error) }
        })
    };
    write().map_err(failed(doing()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::manifest::ConfigBody;

    #[test]
    fn a_kept_image_comes_back_the_same_or_not_at_all() {
        let (one, two, cache) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let blobs = Blobs::open(one.path()).unwrap();
        let manifest = pack::single_layer(&blobs, [0; 1024].as_slice(), ConfigBody::default()).unwrap();
        let elsewhere = Blobs::open(two.path()).unwrap();
        assert_eq!(load(&elsewhere, cache.path(), "image-1"), None);
        store(&blobs, cache.path(), "image-1", &manifest).unwrap();
        store(&blobs, cache.path(), "image-1", &manifest).expect("keeping it again replaces it");
        assert_eq!(load(&elsewhere, cache.path(), "image-1"), Some(manifest.clone()));
        assert_eq!(elsewhere.list().unwrap().len(), 3);
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);

        fs::write(cache.path().join("image-1/blobs/sha256").join(manifest.hex()), "damaged").unwrap();
        let third = tempfile::tempdir().unwrap();
        assert_eq!(load(&Blobs::open(third.path()).unwrap(), cache.path(), "image-1"), None);
    }
}
