//! The steps that touch files, carried out by the agent without any program of the image.

use super::machine::{BuildMachine, StepError};
use super::owner;
use super::report::{Phase, Report};
use super::tarball::{self, Names};
use super::work::{Copy, Target};
use nullspace_guest::client;
use nullspace_guest::protocol::{FailureCode, File, FileType};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// One small file operation.
const CALL_MAX: Duration = Duration::from_secs(30);
/// Removing a large tree, or sending a copy of some gigabytes.
const TREE_MAX: Duration = Duration::from_secs(600);
/// What waits between the writer of an archive and the link.
const PIPE_BUFFER: usize = 256 * 1024;

/// Copies context files, with the rules of a Dockerfile's `COPY`.
pub async fn copy(machine: &BuildMachine, copy: &Copy, report: &Report) -> Result<(), StepError> {
    let (directory, names) = match &copy.target {
        Target::At(path) if !is_directory(machine, path).await? => {
            let (parent, name) = parent_and_name(path)?;
            (parent, Names::Only(name))
        }
        Target::Into(path) if path != "/" && !is_directory(machine, path).await? => {
            let (parent, name) = parent_and_name(path)?;
            (parent, Names::Below(name))
        }
        Target::At(path) | Target::Into(path) => (path.clone(), Names::AsTheyAre),
    };
    let owner = match &copy.owner {
        Some(owner) => numeric_owner(machine, owner).await?,
        None => (0, 0),
    };
    let bytes = tarball::content_bytes(&copy.entries);
    report.say(Phase::Step, format!("{} files and directories, {bytes} bytes", copy.entries.len())).await;

    let (reader, writer) = tokio::io::duplex(PIPE_BUFFER);
    let entries = copy.entries.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let to = tokio_util::io::SyncIoBridge::new(writer);
        tarball::write(&entries, &names, owner, to)
    });
    // Unpacked as root: the archive says whom things belong to.
    let unpacked = machine.ask(TREE_MAX, |stream| client::unpack(stream, &directory, None, reader)).await;
    // A content that could not be read says more than the archive that ended early because of it.
    match writing.await.expect("writing an archive does not panic") {
        Err(error @ (tarball::Error::Read { .. } | tarball::Error::Changed { .. })) => {
            Err(StepError::Failed(crate::driver::chain(&error)))
        }
        _ => unpacked,
    }
}

fn parent_and_name(path: &str) -> Result<(String, String), StepError> {
    match path.rsplit_once('/') {
        Some((parent, name)) if !name.is_empty() => {
            Ok((if parent.is_empty() { "/".to_owned() } else { parent.to_owned() }, name.to_owned()))
        }
        _ => Err(StepError::Failed("nothing can take the place of `/`".to_owned())),
    }
}

/// Whether there is a directory at a path, also by way of a symbolic link.
async fn is_directory(machine: &BuildMachine, path: &str) -> Result<bool, StepError> {
    Ok(match look(machine, path, None).await? {
        Some(file) if file.kind == FileType::Symlink => {
            matches!(look(machine, &format!("{path}/."), None).await, Ok(Some(_)))
        }
        Some(file) => file.kind == FileType::Dir,
        None => false,
    })
}

async fn numeric_owner(machine: &BuildMachine, owner: &str) -> Result<(u64, u64), StepError> {
    let database = async |path: &'static str| {
        let read = machine.ask(CALL_MAX, |stream| async move {
            let (_, content) = client::read(stream, path, None).await?;
            let mut bytes = Vec::new();
            content.take(owner::DATABASE_MAX).read_to_end(&mut bytes).await.map_err(client::Error::Source)?;
            Ok(bytes)
        });
        match read.await {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            // An image without these files has only numbers.
            Err(StepError::Failed(_)) => Ok(String::new()),
            Err(other) => Err(other),
        }
    };
    let (passwd, group) = (database("/etc/passwd").await?, database("/etc/group").await?);
    owner::resolve(owner, &passwd, &group).map_err(StepError::Failed)
}

pub async fn make_dir(
    machine: &BuildMachine,
    path: &str,
    mode: Option<u32>,
    user: Option<&str>,
) -> Result<(), StepError> {
    machine.ask(CALL_MAX, |stream| client::mkdir(stream, path, user, mode)).await?;
    match mode {
        // As `mkdir -p` and `chmod` do it: also where the directory was there before.
        Some(mode) => machine.ask(CALL_MAX, |stream| client::chmod(stream, path, mode, user)).await,
        None => Ok(()),
    }
}

pub async fn remove(
    machine: &BuildMachine,
    path: &str,
    recursive: bool,
    force: bool,
    user: Option<&str>,
) -> Result<(), StepError> {
    match look(machine, path, user).await? {
        None if force => Ok(()),
        None => Err(StepError::Failed(format!("`{path}` does not exist (`force` ignores that)"))),
        Some(file) if file.kind == FileType::Dir && !recursive => {
            Err(StepError::Failed(format!("`{path}` is a directory (`recursive` removes it with its contents)")))
        }
        Some(_) => machine.ask(TREE_MAX, |stream| client::remove(stream, path, user)).await,
    }
}

/// As `mv` does it: into the new place if that is a directory, else in its place.
pub async fn rename(machine: &BuildMachine, from: &str, to: &str, user: Option<&str>) -> Result<(), StepError> {
    let name = from.rsplit('/').next().unwrap_or(from);
    let to = match look(machine, to, user).await? {
        Some(file) if file.kind == FileType::Dir => format!("{}/{name}", to.trim_end_matches('/')),
        _ => to.to_owned(),
    };
    machine.ask(CALL_MAX, |stream| client::rename(stream, from, &to, user)).await.map(|_| ())
}

/// What is at a path, if anything is.
async fn look(machine: &BuildMachine, path: &str, user: Option<&str>) -> Result<Option<File>, StepError> {
    machine
        .ask(CALL_MAX, |stream| async move {
            match client::stat(stream, path, user).await {
                Ok(file) => Ok(Some(file)),
                Err(error) if error.failure().is_some_and(|failure| failure.code == FailureCode::NotFound) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
}
