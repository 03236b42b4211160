//! `sandbox exec`, and running with live output for `process stream`.

use crate::failure::Failure;
use crate::{output, parse};
use clap::Args;
use nullspace_api::Client;
use nullspace_api::commands::{Exec as Request, ExecAnswer, ExecResult};
use nullspace_api::frames::{ClientFrame, ServerFrame};
use std::io::Write;

/// Flags come before the command: what follows it is the command's own.
#[derive(Debug, Args)]
pub struct Exec {
    id: String,
    /// Seconds the command may take.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
    /// Start the command and print its process id.
    #[arg(long)]
    background: bool,
    #[arg(long)]
    cwd: Option<String>,
    /// May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::pair)]
    env: Vec<(String, String)>,
    /// Let the sandbox's shell read the command line.
    #[arg(long)]
    shell: bool,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Exec {
    fn request(self) -> (String, Request) {
        let mut words = self.command.into_iter();
        let first = words.next().unwrap_or_default();
        let rest: Vec<String> = words.collect();
        let (command, args) = if self.shell {
            (std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" "), None)
        } else {
            (first, (!rest.is_empty()).then_some(rest))
        };
        let request = Request {
            command,
            args,
            cwd: self.cwd,
            envs: parse::texts(&self.env),
            shell: self.shell.then_some(true),
            timeout_secs: Some(self.timeout),
            background: Some(self.background),
        };
        (self.id, request)
    }

    pub async fn run(self, client: &Client, json: bool) -> Result<(), Failure> {
        let (id, request) = self.request();
        match client.exec(&id, &request).await? {
            ExecAnswer::Started(started) => output::show(&started),
            ExecAnswer::Finished(ExecResult { error: Some(message), code, .. }) => {
                let code = code.map_or("exec_failed", |code| code.as_str()).to_owned();
                Err(Failure::Reported { code, message, hint: None, details: None })
            }
            ExecAnswer::Finished(result) => {
                if json {
                    output::show(&result)?;
                } else {
                    output::raw(result.stdout.as_bytes())?;
                    to_stderr(&result.stderr);
                }
                ended(result.exit_code)
            }
        }
    }

    /// Shows the output as it is written.
    pub async fn stream(self, client: &Client, json: bool) -> Result<(), Failure> {
        let (id, request) = self.request();
        let start = ClientFrame::ExecStart {
            id: None,
            command: request.command,
            args: request.args,
            cwd: request.cwd,
            envs: request.envs,
            shell: request.shell,
            timeout_secs: request.timeout_secs,
            background: None,
        };
        follow(client, &id, &start, json).await
    }
}

/// Opens the exec socket, says `first`, and shows what comes until the command has ended.
pub async fn follow(client: &Client, id: &str, first: &ClientFrame, json: bool) -> Result<(), Failure> {
    let mut socket = client.exec_socket(id).await?;
    socket.send(first).await?;
    let mut result =
        ExecResult { exit_code: 0, stdout: String::new(), stderr: String::new(), pid: None, error: None, code: None };
    loop {
        match socket.next().await? {
            ServerFrame::ExecStarted { pid, .. } => result.pid = Some(pid),
            ServerFrame::ExecStdout { data, .. } if json => result.stdout.push_str(&data),
            ServerFrame::ExecStderr { data, .. } if json => result.stderr.push_str(&data),
            ServerFrame::ExecStdout { data, .. } => output::raw(data.as_bytes())?,
            ServerFrame::ExecStderr { data, .. } => to_stderr(&data),
            ServerFrame::ExecExit { exit_code, .. } => {
                result.exit_code = exit_code;
                if json {
                    output::show(&result)?;
                }
                return ended(exit_code);
            }
            ServerFrame::Error { message, code, .. } => {
                let code = code.map_or("exec_failed", |code| code.as_str()).to_owned();
                return Err(Failure::Reported { code, message, hint: None, details: None });
            }
        }
    }
}

/// A command's exit code becomes ours; what does not fit a byte is 255, as a shell has it.
pub fn ended(exit_code: i32) -> Result<(), Failure> {
    match u8::try_from(exit_code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Failure::Exit(code)),
        Err(_) => Err(Failure::Exit(255)),
    }
}

fn to_stderr(text: &str) {
    // Nobody listening to errors is no reason to stop the output.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
