//! `nullspace auth`: the key later commands use.

use crate::failure::Failure;
use crate::{output, settings};
use clap::Subcommand;
use serde::Serialize;
use std::io::{IsTerminal, Write};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for a key and store it in ~/.nullspace/config.json, readable by you only.
    Login {
        /// The server's address.
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
        /// The key; without it, it is asked for, or read from standard input.
        #[arg(long, value_name = "KEY", hide_env_values = true)]
        api_key: Option<String>,
    },
}

#[derive(Serialize)]
struct LoggedIn {
    path: String,
    base_url: String,
}

pub fn run(command: Command, json: bool) -> Result<(), Failure> {
    let Command::Login { api_url, api_key } = command;
    let url = api_url.unwrap_or_else(|| settings::Settings::load().url());
    // The address is proven to be one before it is stored.
    nullspace_api::Client::new(&url, "unused")?;
    let key = match api_key {
        Some(key) => key,
        None => ask()?,
    };
    let key = key.trim();
    if key.is_empty() {
        return Err(Failure::usage("--api-key", "the key is empty"));
    }
    let path = settings::login_path();
    settings::store_login(&path, key, url.trim_end_matches('/'))?;
    if json {
        return output::show(&LoggedIn { path: path.display().to_string(), base_url: url });
    }
    eprintln!("stored the key for {url} in {}", path.display());
    Ok(())
}

fn ask() -> Result<String, Failure> {
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        eprint!("API key: ");
        std::io::stderr().flush().map_err(|source| Failure::Stdout { source })?;
    }
    let shown = terminal.then(EchoOff::start).flatten();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|source| Failure::Stdin { source })?;
    if shown.is_some() {
        eprintln!();
    }
    Ok(line)
}

/// While it lives, what is typed is not shown: a key must not stay on a screen.
struct EchoOff(nix::sys::termios::Termios);

impl EchoOff {
    fn start() -> Option<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        let _ = nix::sys::termios::tcsetattr(std::io::stdin(), nix::sys::termios::SetArg::TCSANOW, &self.0);
    }
}
