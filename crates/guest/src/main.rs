//! The agent's program: PID 1 of a machine, or with `--socket PATH` a server on a unix socket.

#![no_main]

use nullspace_guest::agent::{Agent, Place, Port, boot, power_off};
use std::error::Error;
use std::path::PathBuf;

/// The name of the port that leads to the host.
const PORT: &str = "nullspace.agent";

/// Where user code finds the boot token and the generation.
const STATE_DIR: &str = "/run/nullspace";

/// They wait more than they work (for a disk, for the rest of an archive), and go away when idle.
const BLOCKING_THREADS: usize = 64;

type BoxError = Box<dyn Error + Send + Sync>;

/// The usual start of a program ends it when standard input, output or error is closed and there is
/// no `/dev/null`, and both are so in a machine without a console before it has mounted `/dev`.
#[unsafe(no_mangle)]
pub extern "C" fn main(_: i32, _: *const *const i8) -> i32 {
    // SAFETY: takes numbers; nothing else runs yet. Writing to a closed pipe is an error, not the end.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    if std::process::id() == 1 { init() } else { command() }
}

/// A machine of our own.
fn init() -> ! {
    boot::open_console();
    if let Err(error) = boot::boot() {
        complain(&error);
        power_off();
    }
    // The machine is nothing without its agent.
    if let Err(error) = in_runtime(serve_port()) {
        complain(&*error);
    }
    power_off()
}

async fn serve_port() -> Result<(), BoxError> {
    let device = Port::wait(PORT).await?;
    let agent = Agent::new(Place::Machine, STATE_DIR.into())?;
    Ok(agent.serve(Port::open(&device)?).await?)
}

/// A guest of somebody's machine.
fn command() -> i32 {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let (socket, state_dir) = match &arguments[..] {
        [flag, socket] if flag == "--socket" => (PathBuf::from(socket), PathBuf::from(STATE_DIR)),
        [flag, socket, other, state] if flag == "--socket" && other == "--state-dir" => (socket.into(), state.into()),
        _ => {
            eprintln!("usage: nullspace-guest --socket PATH [--state-dir DIR]");
            return 2;
        }
    };
    match in_runtime(serve_socket(socket, state_dir)) {
        Ok(()) => 0,
        Err(error) => {
            complain(&*error);
            1
        }
    }
}

async fn serve_socket(path: PathBuf, state_dir: PathBuf) -> Result<(), BoxError> {
    let agent = Agent::new(Place::Shared, state_dir)?;
    let listener = tokio::net::UnixListener::bind(path)?;
    loop {
        let (connection, _) = listener.accept().await?;
        let agent = agent.clone();
        // A connection that breaks has ended; the next is none the worse for it.
        tokio::spawn(async move { drop(agent.serve(connection).await) });
    }
}

/// One thread: starting a process and expecting its end must not be torn apart.
fn in_runtime<T>(work: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    // File work happens on threads of its own.
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS).build()?.block_on(work)
}

fn complain(error: &(dyn Error + 'static)) {
    let mut text = format!("nullspace-guest: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    eprintln!("{text}");
}
