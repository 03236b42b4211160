//! `sandbox file`: reading and writing what is in a sandbox.

use crate::failure::Failure;
use crate::output;
use clap::{Subcommand, ValueEnum};
use futures::TryStreamExt;
use nullspace_api::Client;
use nullspace_api::client::Error;
use nullspace_api::files::{FileQuery, ListQuery, SetPermissions, WriteFile};
use serde::Serialize;
use std::io::Read;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a file.
    Read { id: String, path: String },
    /// Write a file and its parent directories.
    Write {
        id: String,
        path: String,
        /// What to write; without it, standard input.
        #[arg(conflicts_with = "from")]
        content: Option<String>,
        /// Write the bytes of this local file.
        #[arg(long, value_name = "LOCAL")]
        from: Option<PathBuf>,
        /// How `CONTENT` is written.
        #[arg(long, default_value = "utf8")]
        encoding: Encoding,
    },
    /// List a directory.
    List {
        id: String,
        #[arg(default_value = "/")]
        path: String,
        /// How many levels down.
        #[arg(long)]
        depth: Option<u32>,
    },
    /// Whether a path exists; exit code 1 when not.
    Exists { id: String, path: String },
    /// Show what is known about a path.
    Info { id: String, path: String },
    /// Remove a file, or a directory with all in it.
    Rm { id: String, path: String },
    /// Move a path.
    Mv { id: String, old: String, new: String },
    /// Make a directory and its parents.
    Mkdir { id: String, path: String },
    /// Change a path's mode, as octal digits.
    Chmod { id: String, path: String, permissions: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Encoding {
    Utf8,
    Base64,
}

#[derive(Serialize)]
struct Exists<'a> {
    path: &'a str,
    exists: bool,
}

#[derive(Serialize)]
struct Done<'a> {
    path: &'a str,
    success: bool,
}

pub async fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::Read { id, path } if json => output::show(&client.read_file(&id, &path).await?),
        Command::Read { id, path } => {
            let answer = client.download(&id, &FileQuery { path, user: None }).await?;
            let mut bytes = answer.bytes_stream();
            let base = client.base_url();
            let lost = |source| Error::Transport { base: base.to_owned(), source };
            while let Some(chunk) = bytes.try_next().await.map_err(lost)? {
                output::raw(&chunk)?;
            }
            Ok(())
        }
        Command::Write { id, path, content, from, encoding } => {
            let info = match (content, from) {
                (Some(content), _) => {
                    let encoding = match encoding {
                        Encoding::Utf8 => nullspace_api::files::Encoding::Utf8,
                        Encoding::Base64 => nullspace_api::files::Encoding::Base64,
                    };
                    let file = WriteFile { path, content, encoding: Some(encoding), user: None };
                    client.write_file(&id, &file).await?
                }
                (None, from) => {
                    client.upload(&id, &FileQuery { path: path.clone(), user: None }, bytes_of(from)?).await?;
                    client.file_info(&id, &path).await?
                }
            };
            output::show(&info)
        }
        Command::List { id, path, depth } => {
            let found = client.list_files(&id, &ListQuery { path: Some(path), user: None, depth }).await?;
            output::list(&found, &["permissions", "owner", "size", "modified_time", "path"], None, json)
        }
        Command::Exists { id, path } => {
            let exists = client.file_exists(&id, &path).await?;
            output::show(&Exists { path: &path, exists })?;
            if exists { Ok(()) } else { Err(Failure::Exit(1)) }
        }
        Command::Info { id, path } => output::show(&client.file_info(&id, &path).await?),
        Command::Rm { id, path } => {
            client.remove_file(&id, &path).await?;
            done(&path)
        }
        Command::Mv { id, old, new } => output::show(&client.rename_file(&id, &old, &new).await?),
        Command::Mkdir { id, path } => {
            client.make_dir(&id, &path).await?;
            done(&path)
        }
        Command::Chmod { id, path, permissions } => {
            client.set_permissions(&id, &SetPermissions { path: path.clone(), permissions, user: None }).await?;
            done(&path)
        }
    }
}

fn done(path: &str) -> Result<(), Failure> {
    output::show(&Done { path, success: true })
}

fn bytes_of(from: Option<PathBuf>) -> Result<Vec<u8>, Failure> {
    match from {
        Some(path) => std::fs::read(&path).map_err(|source| Failure::File { action: "read", path, source }),
        None => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map_err(|source| Failure::Stdin { source })?;
            Ok(bytes)
        }
    }
}
