//! Content of files on its way in and out.

use super::files::{describe, look};
use super::files_as::{act_as, locate};
use super::serve::{Frames, respond, respond_to};
use super::users::{Identity, Users};
use super::{fail, kernel, os};
use crate::frame::{self, FrameReader};
use crate::link::GuestStream;
use crate::protocol::{FRAME_MAX, Failure, FailureCode, FrameKind, Response};
use bytes::{Buf, Bytes};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::sync::mpsc;

/// What a new file may have when the request does not say.
const MODE: u32 = 0o644;

/// Frames of an archive that wait to be unpacked.
const ARCHIVE_WAITING: usize = 4;

pub async fn read(path: &str, user: Option<&str>, mut frames: Frames) -> Result<(), frame::Error> {
    let (file, content) = match open(path, user).await {
        Ok(opened) => opened,
        Err(failure) => return respond(&mut frames, Err(failure)).await,
    };
    respond(&mut frames, Ok(Response::File { file })).await?;
    let mut content = tokio::fs::File::from_std(content);
    let mut buffer = vec![0; FRAME_MAX];
    loop {
        // There is no way to say that reading failed but to end without the empty frame.
        let Ok(length) = content.read(&mut buffer).await else { return Ok(()) };
        frame::write(frames.get_mut(), FrameKind::Data, &buffer[..length]).await?;
        if length == 0 {
            return Ok(());
        }
    }
}

async fn open(path: &str, user: Option<&str>) -> Result<(crate::protocol::File, fs::File), Failure> {
    let (identity, path) = locate(path, user)?;
    act_as(&identity, move || {
        let failed = |error| os(&error, format_args!("read `{}`", path.display()));
        // Opening a pipe would wait for its other end.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(fail(FailureCode::IsDirectory, format!("cannot read `{}`: it is a directory", path.display())));
        }
        if !metadata.is_file() {
            let message = format!("cannot read `{}`: it is not a regular file", path.display());
            return Err(fail(FailureCode::InvalidRequest, message));
        }
        let resolved = path.canonicalize().map_err(failed)?;
        Ok((describe(&resolved, &metadata, &Users::load()), file))
    })
    .await
}

pub async fn write(path: &str, user: Option<&str>, mode: Option<u32>, mut frames: Frames) -> Result<(), frame::Error> {
    let (identity, draft) = match begin(path, user, mode).await {
        Ok(begun) => begun,
        Err(failure) => return respond(&mut frames, Err(failure)).await,
    };
    let (draft, content) = draft;
    let mut content = tokio::fs::File::from_std(content);
    let failed = |error| os(&error, format_args!("write `{}`", draft.path.display()));
    loop {
        let Some(frame) = frames.next().await? else { return Ok(()) };
        if frame.kind != FrameKind::Data {
            return respond(&mut frames, Err(fail(FailureCode::InvalidRequest, "a frame is not data"))).await;
        }
        // The file keeps what it is given for later, so its end has to be waited for as well.
        let done = frame.payload.is_empty();
        let written = if done { content.flush().await } else { content.write_all(&frame.payload).await };
        if let Err(error) = written {
            return respond(&mut frames, Err(failed(error))).await;
        }
        if done {
            break;
        }
    }
    drop(content);
    let result = act_as(&identity, move || draft.finish()).await;
    respond(&mut frames, result.map(|file| Response::File { file })).await
}

/// A file that is being written beside the one it will replace.
struct Draft {
    path: PathBuf,
    draft: PathBuf,
    mode: u32,
    /// Who owned the file that is replaced.
    owner: Option<(u32, u32)>,
    finished: bool,
}

async fn begin(path: &str, user: Option<&str>, mode: Option<u32>) -> Result<(Identity, (Draft, fs::File)), Failure> {
    let (identity, path) = locate(path, user)?;
    let named = user.is_some();
    let begun = act_as(&identity, move || {
        // What a symbolic link points to is replaced, not the link.
        let path = path.canonicalize().unwrap_or(path);
        let failed = |error| os(&error, format_args!("write `{}`", path.display()));
        let (Some(parent), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(fail(
                FailureCode::IsDirectory,
                format!("cannot write `{}`: it is a directory", path.display()),
            ));
        };
        let existing = path.metadata().ok();
        match &existing {
            Some(found) if found.is_dir() => {
                let message = format!("cannot write `{}`: it is a directory", path.display());
                return Err(fail(FailureCode::IsDirectory, message));
            }
            Some(found) if !found.is_file() => {
                let message = format!("cannot write `{}`: it is not a regular file", path.display());
                return Err(fail(FailureCode::InvalidRequest, message));
            }
            _ => {}
        }
        DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed)?;
        let draft = parent.join(draft_name().map_err(failed)?);
        let content = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
        let draft = Draft {
            mode: mode.or(existing.as_ref().map(|found| found.mode())).unwrap_or(MODE) & 0o7777,
            owner: existing.filter(|_| !named).map(|found| (found.uid(), found.gid())),
            draft,
            path,
            finished: false,
        };
        Ok((draft, content))
    })
    .await?;
    Ok((identity, begun))
}

impl Draft {
    fn finish(mut self) -> Result<crate::protocol::File, Failure> {
        let failed = |error| os(&error, format_args!("write `{}`", self.path.display()));
        if let Some((uid, gid)) = self.owner {
            std::os::unix::fs::chown(&self.draft, Some(uid), Some(gid)).map_err(failed)?;
        }
        fs::set_permissions(&self.draft, Permissions::from_mode(self.mode)).map_err(failed)?;
        fs::rename(&self.draft, &self.path).map_err(failed)?;
        self.finished = true;
        look(&self.path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished {
            // It may be gone with its directory.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

fn draft_name() -> io::Result<String> {
    let mut random = [0; 8];
    kernel::random(&mut random)?;
    Ok(format!(".nullspace-{:016x}", u64::from_ne_bytes(random)))
}

pub async fn unpack(dst: &str, user: Option<&str>, mut frames: Frames) -> Result<(), frame::Error> {
    let (identity, dst) = match locate(dst, user) {
        Ok(located) => located,
        Err(failure) => return respond(&mut frames, Err(failure)).await,
    };
    // Without a user, what the archive says about owners counts.
    let keep_owners = user.is_none();
    let (mut reader, mut to) = frames.split();
    let (pieces, waiting) = mpsc::channel(ARCHIVE_WAITING);
    let unpacking =
        act_as(&identity, move || unpack_archive(Pieces { waiting, piece: Bytes::new() }, &dst, keep_owners));
    let mut unpacking = std::pin::pin!(unpacking);
    let result = tokio::select! {
        biased;
        // It gives up early, or has seen the end.
        result = &mut unpacking => result,
        fed = feed(&mut reader, pieces) => match fed? {
            Fed::All => unpacking.await,
            Fed::Broken => return Ok(()),
        },
    };
    respond_to(&mut to, result.map(|()| Response::Done)).await
}

enum Fed {
    All,
    /// The host hung up before the end.
    Broken,
}

async fn feed(
    frames: &mut FrameReader<ReadHalf<GuestStream>>,
    pieces: mpsc::Sender<io::Result<Bytes>>,
) -> Result<Fed, frame::Error> {
    loop {
        match frames.next().await? {
            Some(frame) if frame.kind == FrameKind::Data && frame.payload.is_empty() => return Ok(Fed::All),
            // Whoever unpacks says itself why it takes no more.
            Some(frame) if frame.kind == FrameKind::Data => drop(pieces.send(Ok(frame.payload)).await),
            _ => {
                let _ = pieces.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
                return Ok(Fed::Broken);
            }
        }
    }
}

fn unpack_archive(pieces: Pieces, dst: &Path, keep_owners: bool) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let code = os(&error, "").code;
        fail(code, format!("cannot unpack into `{}`: {}", dst.display(), chain(&error)))
    };
    DirBuilder::new().recursive(true).mode(0o755).create(dst).map_err(failed)?;
    let dst = dst.canonicalize().map_err(failed)?;
    let mut archive = tar::Archive::new(pieces);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(keep_owners);
    archive.set_overwrite(true);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.unpack_in(&dst).map_err(failed)? {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            return Err(fail(
                FailureCode::InvalidRequest,
                format!("the archive's `{name}` would leave `{}`", dst.display()),
            ));
        }
    }
    // What follows the archive's own end is padding.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(failed)?;
    Ok(())
}

/// An error with its causes: the archive reader names the entry in one and the reason in the next.
fn chain(error: &io::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// An archive's bytes, as they come.
struct Pieces {
    waiting: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.waiting.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
