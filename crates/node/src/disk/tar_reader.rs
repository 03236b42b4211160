//! Reads the tar archives that image layers are: ustar, GNU and pax, with extended attributes and sparse files.
//!
//! The `tar` crate decodes the header fields. Its own reader splits pax records at line breaks, which loses
//! attributes whose value has one (file capabilities do) and everything after them, so the records are
//! walked here. Everything read is bounded; what makes no sense is an error, never a guess.

use std::collections::BTreeMap;
use std::io::{self, Read};

/// Long names and attributes of one entry. Real ones are a few hundred bytes; Go's reader draws the same line.
const EXTENSION_MAX: u64 = 1024 * 1024;
/// Sparse files with more pieces than this are not made by anything that means well.
const SPARSE_PIECES_MAX: usize = 1_000_000;
const BLOCK: usize = 512;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    #[error("cannot write the content of an entry")]
    Write(#[source] io::Error),
    #[error("the archive ends inside an entry")]
    Truncated,
    #[error("the archive is damaged: {0}")]
    Damaged(String),
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    /// With where it points.
    Symlink(Vec<u8>),
    /// With the path of the entry it is another name of.
    HardLink(Vec<u8>),
    Fifo,
    CharacterDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    /// Volume labels and the like, which put nothing into a tree.
    Nothing,
}

/// One entry. Paths are as written and not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: Vec<u8>,
    pub kind: Kind,
    /// Permission, setuid, setgid and sticky bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub modified: i64,
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of a file, holes included.
    pub size: u64,
}

/// Reads entries one after the other.
pub struct Reader<R> {
    input: R,
    /// Bytes of the current entry's data that were not read.
    data_left: u64,
    padding: u64,
    /// Pieces of the current entry's data, `(offset, length)`, if it is sparse.
    pieces: Option<Vec<(u64, u64)>>,
    size: u64,
}

/// What extension headers say about the entry after them.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: BTreeMap<Vec<u8>, Vec<u8>>,
    /// `GNU.sparse.offset` and `.numbytes` repeat, so they are kept in order.
    old_sparse: Vec<u64>,
}

impl<R: Read> Reader<R> {
    pub fn new(input: R) -> Self {
        Self { input, data_left: 0, padding: 0, pieces: None, size: 0 }
    }

    /// The next entry, after skipping what was not read of the last one.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        let mut extensions = Extensions::default();
        loop {
            self.skip(self.data_left + self.padding)?;
            (self.data_left, self.padding, self.pieces) = (0, 0, None);
            let Some(header) = self.header()? else { return Ok(None) };
            let stored = field_or_zero(&header.as_old().size, header.entry_size()).map_err(damaged("size"))?;
            match header.entry_type().as_byte() {
                b'x' => parse_pax(&self.extension(stored)?, &mut extensions)?,
                b'L' => extensions.path = Some(until_nul(self.extension(stored)?)),
                b'K' => extensions.link = Some(until_nul(self.extension(stored)?)),
                // Global records hold comments in practice, and nothing that an image depends on.
                b'g' => (self.data_left, self.padding) = (stored, padding(stored)),
                _ => return self.entry(&header, stored, extensions).map(Some),
            }
        }
    }

    /// Gives the current file's data to `write` with its place in the file, pieces in order, holes left out.
    pub fn read_data(&mut self, mut write: impl FnMut(u64, &[u8]) -> io::Result<()>) -> Result<(), Error> {
        let pieces = self.pieces.take().unwrap_or_else(|| vec![(0, self.data_left)]);
        let mut buffer = vec![0; 128 * 1024];
        for (mut offset, mut length) in pieces {
            while length > 0 {
                let part = &mut buffer[..length.min(128 * 1024) as usize];
                self.input.read_exact(part).map_err(read_error)?;
                write(offset, part).map_err(Error::Write)?;
                offset += part.len() as u64;
                length -= part.len() as u64;
                self.data_left -= part.len() as u64;
            }
        }
        Ok(())
    }

    /// The current file's bytes as they are stored, for files that are not sparse.
    pub fn data(&mut self) -> impl Read {
        Data { reader: self }
    }

    /// Reads what follows the end of the archive, so that a digest over the input covers it.
    pub fn drain(mut self) -> Result<R, Error> {
        io::copy(&mut self.input, &mut io::sink()).map_err(Error::Read)?;
        Ok(self.input)
    }

    fn entry(&mut self, header: &tar::Header, stored: u64, extensions: Extensions) -> Result<Entry, Error> {
        let type_byte = header.entry_type().as_byte();
        let number = |key: &[u8]| extensions.number(key);
        let stored = number(b"size")?.unwrap_or(stored);
        let mut path = extensions.path_or(header.path_bytes().into_owned());
        let link = || {
            let link = extensions.pax.get(b"linkpath".as_slice()).or(extensions.link.as_ref()).cloned();
            link.or_else(|| header.link_name_bytes().map(|name| name.into_owned())).unwrap_or_default()
        };
        let old = header.as_old();
        let device = || {
            let fields = header.as_ustar().map(|ustar| (ustar.dev_major, ustar.dev_minor));
            let (major, minor) =
                fields.or(header.as_gnu().map(|gnu| (gnu.dev_major, gnu.dev_minor))).unwrap_or_default();
            let part = |field: [u8; 8], value: io::Result<Option<u32>>| {
                field_or_zero(&field, value.map(Option::unwrap_or_default)).map_err(damaged("device number"))
            };
            Ok((part(major, header.device_major())?, part(minor, header.device_minor())?))
        };
        let owner = |key, field: &[u8], value| match number(key)? {
            Some(value) => id(value),
            None => id(field_or_zero(field, value).map_err(damaged("owner"))?),
        };
        let kind = match type_byte {
            // Before ustar, a directory was a file whose name ends so.
            0 | b'0' if path.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink(link()),
            b'2' => Kind::Symlink(link()),
            b'3' => device().map(|(major, minor)| Kind::CharacterDevice { major, minor })?,
            b'4' => device().map(|(major, minor)| Kind::BlockDevice { major, minor })?,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'V' | b'M' | b'N' | b'D' => Kind::Nothing,
            other => return Err(Error::Damaged(format!("entry type {other} is not known"))),
        };
        self.size = stored;
        if matches!(kind, Kind::File | Kind::Nothing) {
            (self.data_left, self.padding) = (stored, padding(stored));
        }
        if kind == Kind::File {
            if type_byte == b'S' {
                self.gnu_sparse(header)?;
            } else {
                self.pax_sparse(&extensions, stored)?;
            }
            if self.pieces.is_some()
                && let Some(name) = extensions.pax.get(b"GNU.sparse.name".as_slice())
            {
                path.clone_from(name);
            }
        }
        Ok(Entry {
            path,
            kind,
            mode: field_or_zero(&old.mode, header.mode()).map_err(damaged("mode"))? & 0o7777,
            uid: owner(b"uid".as_slice(), &old.uid, header.uid())?,
            gid: owner(b"gid".as_slice(), &old.gid, header.gid())?,
            modified: extensions
                .modified()
                .or_else(|| header.mtime().ok().and_then(|at| at.try_into().ok()))
                .unwrap_or(0),
            attributes: extensions.attributes(),
            size: self.size,
        })
    }

    /// The next header block, or nothing at the end.
    fn header(&mut self) -> Result<Option<tar::Header>, Error> {
        let mut block = [0; BLOCK];
        // A single empty block is stepped over; two, or the end of the input, are the end.
        for _ in 0..2 {
            if !self.block(&mut block)? {
                return Ok(None);
            }
            if block != [0; BLOCK] {
                let header = tar::Header::from_byte_slice(&block);
                let sum = block.iter().enumerate().map(|(at, byte)| match at {
                    148..156 => u32::from(b' '),
                    _ => u32::from(*byte),
                });
                if header.cksum().map_err(damaged("checksum"))? != sum.sum::<u32>() {
                    return Err(Error::Damaged("a header's checksum is wrong".into()));
                }
                return Ok(Some(header.clone()));
            }
        }
        Ok(None)
    }

    /// Reads a whole block, or says that the input is at its end.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Error> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(Error::Truncated),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Read(error)),
            }
        }
        Ok(true)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > EXTENSION_MAX {
            return Err(Error::Damaged(format!("an extension header of {size} bytes")));
        }
        let mut bytes = vec![0; size as usize];
        self.input.read_exact(&mut bytes).map_err(read_error)?;
        self.skip(padding(size))?;
        Ok(bytes)
    }

    fn skip(&mut self, count: u64) -> Result<(), Error> {
        match io::copy(&mut self.input.by_ref().take(count), &mut io::sink()).map_err(Error::Read)? {
            skipped if skipped == count => Ok(()),
            _ => Err(Error::Truncated),
        }
    }

    /// The map of GNU's own sparse format is in the header, and in blocks after it.
    fn gnu_sparse(&mut self, header: &tar::Header) -> Result<(), Error> {
        let gnu = header.as_gnu().ok_or_else(|| Error::Damaged("a sparse file without a GNU header".into()))?;
        let mut pieces = Vec::new();
        let mut add = |part: &tar::GnuSparseHeader| {
            if !part.is_empty() {
                pieces.push((
                    part.offset().map_err(damaged("sparse map"))?,
                    part.length().map_err(damaged("sparse map"))?,
                ));
            }
            if pieces.len() > SPARSE_PIECES_MAX {
                return Err(Error::Damaged("a sparse file in too many pieces".into()));
            }
            Ok(())
        };
        gnu.sparse.iter().try_for_each(&mut add)?;
        let mut more = gnu.is_extended();
        while more {
            let mut extended = tar::GnuExtSparseHeader::new();
            let mut block = [0; BLOCK];
            self.input.read_exact(&mut block).map_err(read_error)?;
            extended.as_mut_bytes().copy_from_slice(&block);
            extended.sparse().iter().try_for_each(&mut add)?;
            more = extended.is_extended();
        }
        let size = gnu.real_size().map_err(damaged("sparse size"))?;
        self.set_pieces(pieces, size)
    }

    /// The three pax forms: repeated records, one record, or a text map before the data.
    fn pax_sparse(&mut self, extensions: &Extensions, stored: u64) -> Result<(), Error> {
        let number = |key: &[u8]| extensions.number(key);
        let Some(size) = number(b"GNU.sparse.realsize")?.or(number(b"GNU.sparse.size")?) else { return Ok(()) };
        let numbers = if let Some(map) = extensions.pax.get(b"GNU.sparse.map".as_slice()) {
            map.split(|byte| *byte == b',').map(decimal).collect::<Result<Vec<_>, _>>()?
        } else if number(b"GNU.sparse.major")? == Some(1) {
            self.text_map(stored)?
        } else {
            extensions.old_sparse.clone()
        };
        if numbers.len() % 2 != 0 || numbers.len() / 2 > SPARSE_PIECES_MAX {
            return Err(Error::Damaged("a sparse map that does not pair up".into()));
        }
        self.set_pieces(numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect(), size)
    }

    /// A count, then offset and length of each piece, one decimal number a line, padded to a whole block.
    fn text_map(&mut self, stored: u64) -> Result<Vec<u64>, Error> {
        let (mut numbers, mut line, mut used) = (Vec::new(), Vec::new(), 0);
        let mut wanted = None;
        while wanted != Some(numbers.len()) {
            let mut block = [0; BLOCK];
            used += BLOCK as u64;
            if used > stored || !self.block(&mut block)? {
                return Err(Error::Damaged("a sparse map longer than its file".into()));
            }
            for byte in block {
                if wanted == Some(numbers.len()) {
                    break;
                }
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let value = decimal(&line)?;
                line.clear();
                match wanted {
                    Some(_) => numbers.push(value),
                    None if value as usize > SPARSE_PIECES_MAX => {
                        return Err(Error::Damaged("a sparse file in too many pieces".into()));
                    }
                    None => wanted = Some(value as usize * 2),
                }
            }
        }
        self.data_left = stored - used;
        Ok(numbers)
    }

    fn set_pieces(&mut self, pieces: Vec<(u64, u64)>, size: u64) -> Result<(), Error> {
        let (mut end, mut data) = (0_u64, 0_u64);
        for (offset, length) in &pieces {
            let piece_end = offset.checked_add(*length).filter(|piece_end| *piece_end <= size && *offset >= end);
            end = piece_end.ok_or_else(|| Error::Damaged("a sparse map out of order".into()))?;
            data += length;
        }
        if data > self.data_left {
            return Err(Error::Damaged("a sparse map for more data than there is".into()));
        }
        self.pieces = Some(pieces);
        self.size = size;
        Ok(())
    }
}

struct Data<'a, R> {
    reader: &'a mut Reader<R>,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.reader.data_left).unwrap_or(usize::MAX));
        let count = self.reader.input.read(&mut buffer[..most])?;
        self.reader.data_left -= count as u64;
        Ok(count)
    }
}

impl Extensions {
    fn number(&self, key: &[u8]) -> Result<Option<u64>, Error> {
        self.pax.get(key).map(|value| decimal(value)).transpose()
    }

    fn path_or(&self, header: Vec<u8>) -> Vec<u8> {
        self.pax.get(b"path".as_slice()).or(self.path.as_ref()).cloned().unwrap_or(header)
    }

    /// Whole seconds: what the file system keeps.
    fn modified(&self) -> Option<i64> {
        let text = std::str::from_utf8(self.pax.get(b"mtime".as_slice())?).ok()?;
        text.split('.').next()?.parse().ok()
    }

    fn attributes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let named =
            |(key, value): (&Vec<u8>, &Vec<u8>)| Some((key.strip_prefix(b"SCHILY.xattr.")?.to_vec(), value.clone()));
        self.pax.iter().filter_map(named).collect()
    }
}

/// Records are `LENGTH KEY=VALUE\n`, where the length counts all of it. Values may hold any byte.
fn parse_pax(mut bytes: &[u8], extensions: &mut Extensions) -> Result<(), Error> {
    let bad = || Error::Damaged("a pax record that makes no sense".into());
    // Some writers pad the records with zeros.
    while !bytes.is_empty() && bytes[0] != 0 {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length = usize::try_from(decimal(&bytes[..space])?).map_err(|_| bad())?;
        if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(bad());
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        let (key, value) = (record[..equals].to_vec(), record[equals + 1..].to_vec());
        if key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes" {
            extensions.old_sparse.push(decimal(&value)?);
        }
        if value.is_empty() && !key.starts_with(b"SCHILY.xattr.") {
            extensions.pax.remove(&key); // An empty value takes an earlier one back.
        } else {
            extensions.pax.insert(key, value);
        }
        bytes = &bytes[length..];
    }
    Ok(())
}

fn decimal(text: &[u8]) -> Result<u64, Error> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    parsed.ok_or_else(|| Error::Damaged(format!("`{}` is not a number", String::from_utf8_lossy(text))))
}

fn id(value: u64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Error::Damaged(format!("{value} is not a user or group")))
}

/// Some writers leave out what they have no number for.
fn field_or_zero<N: Default>(field: &[u8], value: io::Result<N>) -> io::Result<N> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(N::default()) } else { value }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

fn damaged(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Damaged(format!("{what}: {error}"))
}

fn read_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Truncated,
        _ => Error::Read(error),
    }
}
