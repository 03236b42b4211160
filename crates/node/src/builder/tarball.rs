//! The archive that carries a copy into the build machine, written while it is sent.
//!
//! Contents are hashed on the way: what reaches the machine is what the key was made of.

use super::work::{Content, Entry};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// 2000-01-01, for every entry: the same copy is the same disk, and zip (a Python wheel) knows
/// no time before 1980.
const MODIFIED: u64 = 946_684_800;

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the uploaded content of `{path}`")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the uploaded content of `{path}` is not what was announced")]
    Changed { path: String },
    /// The other end went away, which says why itself.
    #[error("cannot send the archive")]
    Send {
        #[source]
        source: io::Error,
    },
}

/// How entries are called in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    AsTheyAre,
    /// The single file of a copy has this name.
    Only(String),
    /// In a directory of this name, which is in the archive too.
    Below(String),
}

/// Writes entries as a tar archive, all of one owner (uid and gid).
pub fn write(entries: &[Entry], names: &Names, owner: (u64, u64), to: impl Write) -> Result<(), Error> {
    let mut archive = tar::Builder::new(to);
    let header = |mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode);
        header.set_mtime(MODIFIED);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header
    };
    let directory = |archive: &mut tar::Builder<_>, name: &str, mode| {
        let mut header = header(mode);
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        archive.append_data(&mut header, name, io::empty()).map_err(|source| Error::Send { source })
    };
    if let Names::Below(name) = names {
        directory(&mut archive, name, 0o755)?;
    }
    for entry in entries {
        let name = match names {
            Names::AsTheyAre => entry.path.clone(),
            Names::Only(name) => name.clone(),
            Names::Below(directory) => format!("{directory}/{}", entry.path),
        };
        match &entry.content {
            Content::Dir => directory(&mut archive, &name, entry.mode)?,
            Content::File { sha256, source } => {
                let read_error = |source| Error::Read { path: entry.path.clone(), source };
                let file = File::open(source).map_err(read_error)?;
                let size = file.metadata().map_err(read_error)?.len();
                let mut header = header(entry.mode);
                header.set_size(size);
                let mut hashing = Hashing { file: file.take(size), hash: Sha256::new(), left: size, failed: None };
                let sent = archive.append_data(&mut header, name, &mut hashing);
                if let Some(source) = hashing.failed {
                    return Err(read_error(source));
                }
                sent.map_err(|source| Error::Send { source })?;
                let expected = sha256.trim_start_matches("sha256:");
                if !hex::encode(hashing.hash.finalize()).eq_ignore_ascii_case(expected) {
                    return Err(Error::Changed { path: entry.path.clone() });
                }
            }
        }
    }
    archive.into_inner().and_then(|mut to| to.flush()).map_err(|source| Error::Send { source })
}

/// How many bytes the archive's contents have, for the log.
pub fn content_bytes(entries: &[Entry]) -> u64 {
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    entries
        .iter()
        .map(|entry| match &entry.content {
            Content::Dir => 0,
            Content::File { source, .. } => size(source),
        })
        .sum()
}

/// Reads a file and remembers its digest. Its own read errors are kept apart from the archive's.
struct Hashing {
    file: io::Take<File>,
    hash: Sha256,
    left: u64,
    failed: Option<io::Error>,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.file.read(buffer) {
            Ok(0) if self.left > 0 && !buffer.is_empty() => {
                self.failed = Some(io::ErrorKind::UnexpectedEof.into());
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Ok(count) => {
                self.left -= count as u64;
                self.hash.update(&buffer[..count]);
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8], sha256: &str) -> (tempfile::NamedTempFile, Entry) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let content = Content::File { sha256: sha256.to_owned(), source: file.path().to_owned() };
        (file, Entry { path: format!("{}/a", "d".repeat(150)), mode: 0o640, content })
    }

    #[test]
    fn an_archive_holds_names_modes_and_contents_also_long_ones() {
        let content = vec![7; 100_000];
        let (_file, entry) = file(&content, &hex::encode(Sha256::digest(&content)));
        let dir = Entry { path: "empty".to_owned(), mode: 0o750, content: Content::Dir };
        let mut bytes = Vec::new();
        write(&[dir, entry.clone()], &Names::Below("app".to_owned()), (1000, 50), &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = Vec::new();
        for item in archive.entries().unwrap() {
            let mut item = item.unwrap();
            let mut read = Vec::new();
            item.read_to_end(&mut read).unwrap();
            assert_eq!((item.header().uid().unwrap(), item.header().gid().unwrap()), (1000, 50));
            found.push((item.path().unwrap().display().to_string(), item.header().mode().unwrap(), read));
        }
        let expected = [
            ("app".to_owned(), 0o755, Vec::new()),
            ("app/empty".to_owned(), 0o750, Vec::new()),
            (format!("app/{}", entry.path), 0o640, content),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn content_that_is_not_what_was_announced_is_not_sent_as_if_it_were() {
        let (_file, entry) = file(b"x", &hex::encode(Sha256::digest(b"y")));
        let written = write(&[entry], &Names::Only("b".to_owned()), (0, 0), Vec::new());
        assert!(matches!(written, Err(Error::Changed { .. })));
    }
}
