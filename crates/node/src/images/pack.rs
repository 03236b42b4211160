//! Makes an image of one layer out of files that this host made: what bootstrapping ends in.

use super::blobs::{BlobDigest, Blobs};
use super::failed;
use super::manifest::{self, ConfigBody, ConfigFile, Descriptor, RootFs};
use crate::api::ImageError;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Stores an uncompressed archive as the only layer of a new image, and gives its manifest's digest.
pub fn single_layer(blobs: &Blobs, archive: impl Read, config: ConfigBody) -> Result<BlobDigest, ImageError> {
    let mut archive = Hashed { input: archive, hash: Sha256::new() };
    // Level 1: a local image is read about as often as it is written, and a disk is made of it only once.
    let packed = zstd::stream::read::Encoder::new(&mut archive, 1).map_err(failed("compress a layer"))?;
    let (layer, layer_size) = blobs.put_from(packed)?;
    let config = serde_json::to_vec(&ConfigFile {
        architecture: "amd64".into(),
        os: "linux".into(),
        config,
        rootfs: RootFs { kind: "layers".into(), diff_ids: vec![BlobDigest::finish(archive.hash).to_string()] },
    })
    .expect("a configuration is plain data");
    let config_size = config.len() as u64;
    let config = blobs.put(&config)?;
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar+zstd", &layer, layer_size);
    blobs.put(&manifest_bytes(descriptor(manifest::CONFIG, &config, config_size), vec![layer]))
}

/// A manifest of blobs that are in the store.
pub fn manifest_bytes(config: Descriptor, layers: Vec<Descriptor>) -> Vec<u8> {
    let manifest =
        serde_json::json!({"schemaVersion": 2, "mediaType": manifest::MANIFEST, "config": config, "layers": layers});
    serde_json::to_vec(&manifest).expect("a manifest is plain data")
}

pub fn descriptor(media_type: &str, digest: &BlobDigest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.into(),
        digest: digest.to_string(),
        size,
        platform: None,
        annotations: BTreeMap::new(),
    }
}

struct Hashed<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
