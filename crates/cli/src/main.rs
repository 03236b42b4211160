//! The `nullspace` command. Data goes to standard output, everything else to standard error.

mod admin;
mod auth;
mod commands;
mod doctor;
mod failure;
mod image;
mod output;
mod parse;
mod progress;
mod sandbox;
mod serve;
mod settings;
mod template;
mod warm_pool;

use clap::Parser;
use commands::{Arguments, Command};
use failure::Failure;
use settings::Settings;
use std::process::ExitCode;

fn main() -> ExitCode {
    let asked_for_json = std::env::args().any(|argument| argument == "--json");
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(failure::tell_usage(&error, asked_for_json)),
    };
    let json = arguments.json;
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(json);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Commands that are no clients run by themselves; the others until they end or are interrupted.
fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.json;
    match arguments.command {
        Command::Serve(command) => serve::run(*command, json),
        command => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|source| Failure::File { action: "start the runtime of", path: "nullspace".into(), source })?;
            runtime.block_on(async {
                tokio::select! {
                    result = client_command(command, json) => result,
                    _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
                }
            })
        }
    }
}

async fn client_command(command: Command, json: bool) -> Result<(), Failure> {
    let settings = Settings::load();
    match command {
        Command::Auth(command) => auth::run(command, json),
        Command::Doctor(command) => doctor::run(command, &settings, json).await,
        Command::Template(command) => template::run(command, &settings.client()?, json).await,
        Command::Sandbox(command) => sandbox::run(command, &settings.client()?, json).await,
        Command::Image(command) => image::run(command, &settings.client()?, json).await,
        Command::Tenant(command) => admin::run_tenant(command, &settings.client()?, json).await,
        Command::Key(command) => admin::run_key(command, &settings.client()?, json).await,
        Command::Serve(_) => unreachable!("serve does not run as a client"),
    }
}
