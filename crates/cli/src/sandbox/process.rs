//! `sandbox process`: what runs in a sandbox.

use super::exec::{self, Exec};
use crate::failure::Failure;
use crate::output;
use clap::Subcommand;
use nullspace_api::Client;
use nullspace_api::frames::ClientFrame;
use serde::Serialize;
use std::io::Read;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List processes started through the API.
    List { id: String },
    /// Show everything a process has written.
    Logs { id: String, pid: u32 },
    /// Kill a process.
    Kill { id: String, pid: u32 },
    /// Write to a process's standard input.
    Stdin {
        id: String,
        pid: u32,
        /// What to write; without it, standard input.
        data: Option<String>,
    },
    /// Follow a process from its first byte until it ends; the exit code is its own.
    Attach { id: String, pid: u32 },
    /// Run a command and show its output as it is written; the exit code is the command's.
    Stream(Exec),
}

#[derive(Serialize)]
struct Killed {
    pid: u32,
    status: &'static str,
}

#[derive(Serialize)]
struct Sent {
    pid: u32,
    bytes_sent: usize,
}

pub async fn run(command: Command, client: &Client, json: bool) -> Result<(), Failure> {
    match command {
        Command::List { id } => {
            output::list(&client.list_processes(&id).await?, &["pid", "running", "command"], None, json)
        }
        Command::Logs { id, pid } => {
            let logs = client.process_logs(&id, pid).await?;
            if json { output::show(&logs) } else { output::raw(logs.output.as_bytes()) }
        }
        Command::Kill { id, pid } => {
            client.kill_process(&id, pid).await?;
            if json { output::show(&Killed { pid, status: "killed" }) } else { output::line(format!("Killed {pid}")) }
        }
        Command::Stdin { id, pid, data } => {
            let data = data.map_or_else(read_stdin, Ok)?;
            client.write_stdin(&id, pid, &data).await?;
            let sent = Sent { pid, bytes_sent: data.len() };
            if json { output::show(&sent) } else { output::line(format!("Sent {} bytes to {pid}", sent.bytes_sent)) }
        }
        Command::Attach { id, pid } => {
            exec::follow(client, &id, &ClientFrame::ExecConnect { id: None, pid }, json).await
        }
        Command::Stream(command) => command.stream(client, json).await,
    }
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|source| Failure::Stdin { source })?;
    Ok(text)
}
