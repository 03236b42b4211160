//! Reads an image's layers, lowest first, into one [`Tree`], with the bytes of files in a directory beside it.

use super::content;
use super::tar_reader::{self, Kind, Reader};
use super::tree::{Content, NodeId, Refused, Tree};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a layer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Files, directories and links of a whole image. Large ones have 300 000; each costs some hundred bytes of memory.
    pub files: usize,
    /// Bytes that all layers together unpack to. Stops what was made to fill the disk.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { files: 2_000_000, bytes: 64 * 1024 * 1024 * 1024 }
    }
}

/// One layer as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub path: PathBuf,
    /// What the unpacked archive must hash to, if the image says.
    pub diff_id: Option<String>,
}

/// Why a layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open `{path}`", path = path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("layer {number} cannot be read: {source}")]
    Archive { number: usize, source: tar_reader::Error },
    #[error("layer {number} cannot be unpacked: {source}")]
    Refused { number: usize, source: Refused },
    #[error("the image unpacks to more than {0} bytes")]
    TooLarge(u64),
    #[error("layer {number} holds {found}, not {expected}")]
    Digest { number: usize, expected: String, found: String },
    #[error("cannot write the content of a file")]
    Write(#[source] io::Error),
}

/// What the layers make together.
#[derive(Debug)]
pub struct Merged {
    pub tree: Tree,
    /// Size of each file, holes included, and bytes written for it.
    pub sizes: BTreeMap<NodeId, FileSize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSize {
    pub length: u64,
    pub written: u64,
}

/// Unpacks layers; the bytes of a file go to `data/<node>`.
pub fn merge(layers: &[Layer], data: &Path, bounds: Bounds) -> Result<Merged, Error> {
    let mut merged = Merged { tree: Tree::new(bounds.files), sizes: BTreeMap::new() };
    let mut bytes_left = bounds.bytes;
    for (index, layer) in layers.iter().enumerate() {
        let number = index + 1;
        let file = File::open(&layer.path).map_err(|source| Error::Open { path: layer.path.clone(), source })?;
        let archive = |source| Error::Archive { number, source };
        let input = decompress(BufReader::with_capacity(1 << 17, file))
            .map_err(|error| archive(tar_reader::Error::Read(error)))?;
        let input = Counted { input, left: bytes_left, hash: layer.diff_id.as_ref().map(|_| Sha256::new()) };
        let mut reader = Reader::new(input);
        let too_large = |error| match error {
            Error::Archive { source: tar_reader::Error::Read(source), .. }
                if source.kind() == io::ErrorKind::FileTooLarge =>
            {
                Error::TooLarge(bounds.bytes)
            }
            error => error,
        };
        merged.lay_all(&mut reader, number, data).map_err(too_large)?;
        let end = reader.drain().map_err(archive).map_err(too_large)?;
        bytes_left = end.left;
        if let (Some(hash), Some(expected)) = (end.hash, &layer.diff_id) {
            let found = format!("sha256:{}", hex::encode(hash.finalize()));
            if found != *expected {
                return Err(Error::Digest { number, expected: expected.clone(), found });
            }
        }
    }
    Ok(merged)
}

impl Merged {
    fn lay_all<R: Read>(&mut self, reader: &mut Reader<R>, number: usize, data: &Path) -> Result<(), Error> {
        while let Some(entry) = reader.next_entry().map_err(|source| Error::Archive { number, source })? {
            let node = self.tree.lay(&entry, number as u32).map_err(|source| Error::Refused { number, source })?;
            if let Some(node) = node {
                debug_assert_eq!(entry.kind, Kind::File);
                let file = File::create_new(data.join(node.0.to_string())).map_err(Error::Write)?;
                let mut written = 0;
                let read = reader.read_data(|offset, bytes| write_sparse(&file, offset, bytes, &mut written));
                read.map_err(|source| match source {
                    tar_reader::Error::Write(source) => Error::Write(source),
                    source => Error::Archive { number, source },
                })?;
                if entry.size > 0 {
                    file.set_len(entry.size).map_err(Error::Write)?;
                }
                self.sizes.insert(node, FileSize { length: entry.size, written });
            }
            for dropped in self.tree.take_dropped() {
                self.sizes.remove(&dropped);
                std::fs::remove_file(data.join(dropped.0.to_string())).map_err(Error::Write)?;
            }
        }
        Ok(())
    }

    /// Bytes that the files take on a file system with blocks of this size.
    pub fn blocks(&self, block: u64) -> u64 {
        let files: u64 = self.sizes.values().map(|size| size.written.div_ceil(block) + 1).sum();
        let others = self.tree.nodes().map(|node| match &node.content {
            Content::Directory(directory) => {
                let names: u64 = directory.entries.keys().map(|name| name.len() as u64 + 12).sum();
                // Directories are indexed and half full in the worst case.
                1 + (2 * names).div_ceil(block)
            }
            Content::Symlink(target) if target.len() >= 60 => 1,
            _ => 0,
        });
        let attributes = self.tree.nodes().filter(|node| !node.metadata.attributes.is_empty()).count() as u64;
        files + others.sum::<u64>() + attributes
    }
}

/// Zeros become holes: content, not how it was packed, decides what a disk holds.
fn write_sparse(file: &File, mut offset: u64, bytes: &[u8], written: &mut u64) -> io::Result<()> {
    for part in bytes.chunks(32 * 1024) {
        if !(part.len() >= 4096 && content::is_zero(part)) {
            file.write_all_at(part, offset)?;
            *written += part.len() as u64;
        }
        offset += part.len() as u64;
    }
    Ok(())
}

/// Layers say how they are compressed by their first bytes, which lie less often than media types.
pub(crate) fn decompress(mut input: BufReader<File>) -> io::Result<Box<dyn Read + Send>> {
    let start = io::BufRead::fill_buf(&mut input)?;
    Ok(match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(input)?),
        _ => Box::new(input),
    })
}

/// Counts and hashes what is read, and ends it when it is too much.
struct Counted {
    input: Box<dyn Read + Send>,
    left: u64,
    hash: Option<Sha256>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        if count as u64 > self.left {
            self.left = 0;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.left -= count as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}
