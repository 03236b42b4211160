//! What is in a disk file, apart from its holes: a digest and a copy that both skip them.
//!
//! A disk's digest is SHA-256 over its length and every 64 KiB chunk that is not all zero, each with
//! its offset. A hole and written zeros are the same content, so a disk keeps its digest when it
//! is copied, trimmed or moved to another file system, and 10 GiB of nothing cost nothing to hash.

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Small enough to keep copies sparse, large enough that reading is not the cost.
const CHUNK: usize = 64 * 1024;
static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// What a disk file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The length of the file, holes included.
    pub size_bytes: u64,
}

/// Reads a disk file once and says what it holds.
pub fn read(path: &Path) -> io::Result<Content> {
    let file = File::open(path)?;
    let mut hash = Sha256::new();
    let size_bytes = for_each_chunk(&file, |offset, chunk| {
        hash.update(offset.to_le_bytes());
        hash.update(chunk);
        Ok(())
    })?;
    Ok(Content { digest: finish(hash, size_bytes), size_bytes })
}

/// Copies a disk file without its holes into an empty one, and says what was copied.
pub fn copy(from: &Path, to: &File) -> io::Result<Content> {
    let file = File::open(from)?;
    let mut hash = Sha256::new();
    to.set_len(file.metadata()?.len())?;
    let size_bytes = for_each_chunk(&file, |offset, chunk| {
        hash.update(offset.to_le_bytes());
        hash.update(chunk);
        to.write_all_at(chunk, offset)
    })?;
    Ok(Content { digest: finish(hash, size_bytes), size_bytes })
}

/// How much room a file takes, holes not counted.
pub fn occupied(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.blocks() * 512)
}

/// Whether bytes are all zero. Compared as memory, because it runs over whole disks.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(CHUNK).all(|chunk| chunk == &ZEROS[..chunk.len()])
}

fn finish(mut hash: Sha256, size: u64) -> String {
    hash.update(size.to_le_bytes());
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// Calls `each` for every chunk that is not all zero, in order, and returns the file's length.
fn for_each_chunk(file: &File, mut each: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let mut buffer = vec![0; CHUNK];
    let mut position = 0; // Always a multiple of CHUNK, so that no chunk is seen twice.
    while position < size {
        let (data, hole) = match lseek(file, position as i64, Whence::SeekData) {
            Ok(data) => (data as u64, lseek(file, data, Whence::SeekHole)? as u64),
            Err(Errno::ENXIO) => break,
            // A file system that does not know about holes: all of it is data.
            Err(Errno::EINVAL) => (position, size),
            Err(error) => return Err(error.into()),
        };
        position = position.max(data - data % CHUNK as u64);
        while position < hole.min(size) {
            let length = (size - position).min(CHUNK as u64) as usize;
            let chunk = &mut buffer[..length];
            file.read_exact_at(chunk, position)?;
            if !is_zero(chunk) {
                each(position, chunk)?;
            }
            position += CHUNK as u64;
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(writes: &[(u64, &[u8])], size: u64) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(size).unwrap();
        for (offset, bytes) in writes {
            file.as_file().write_all_at(bytes, *offset).unwrap();
        }
        file
    }

    #[test]
    fn holes_and_written_zeros_are_the_same_content() {
        let size = 8 * 1024 * 1024 + 17;
        let holey = file(&[(5_000_000, b"x"), (size - 1, b"y")], size);
        let full = file(&[(0, &vec![0; size as usize]), (5_000_000, b"x"), (size - 1, b"y")], size);
        assert_eq!(read(holey.path()).unwrap(), read(full.path()).unwrap());
        assert!(occupied(holey.path()).unwrap() < occupied(full.path()).unwrap());
    }

    #[test]
    fn what_differs_in_content_place_or_length_differs_in_digest() {
        let mut seen = std::collections::BTreeSet::new();
        for (writes, size) in [
            (vec![(0, b"a".as_slice())], 200_000),
            (vec![(1, b"a".as_slice())], 200_000),
            (vec![(70_000, b"a".as_slice())], 200_000),
            (vec![(0, b"a".as_slice())], 200_001),
            (vec![], 200_000),
            (vec![], 0),
        ] {
            assert!(seen.insert(read(file(&writes, size).path()).unwrap().digest));
        }
    }

    #[test]
    fn a_copy_holds_the_same_and_stays_sparse() {
        let source = file(&[(123_456, b"hello"), (30_000_000, &[7; 100_000])], 64 * 1024 * 1024);
        let target = tempfile::NamedTempFile::new().unwrap();
        let copied = copy(source.path(), target.as_file()).unwrap();
        assert_eq!(copied, read(source.path()).unwrap());
        assert_eq!(copied, read(target.path()).unwrap());
        assert_eq!(std::fs::read(source.path()).unwrap(), std::fs::read(target.path()).unwrap());
        assert!(occupied(target.path()).unwrap() < 1024 * 1024);
    }
}
