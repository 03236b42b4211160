//! Before a snapshot, and after a restore: how two clones of one snapshot come to differ.
//!
//! Between `freeze` and the end of `renew` no user code runs, so none can see the random numbers,
//! the time or the name of the machine that the snapshot was taken of.

use super::{Agent, Place, fail, kernel, os};
use crate::protocol::{Failure, FailureCode, Renew, Response};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::Path;

/// Less would not fill the kernel's generator.
const ENTROPY_MIN: usize = 32;
/// More would be a mistake.
const ENTROPY_MAX: usize = 512;

const HOSTNAME_MAX: usize = 64;

/// Stops every user process and flushes the disks.
pub async fn freeze(agent: &Agent) -> Result<(), Failure> {
    // Set first: nothing may join what is being frozen.
    *agent.frozen.lock().expect("no panic under this lock") = true;
    let stopped = match &agent.cgroup {
        Some(group) => group.freeze().await,
        None => {
            signal_all(agent, libc::SIGSTOP);
            Ok(())
        }
    };
    if let Err(error) = stopped {
        *agent.frozen.lock().expect("no panic under this lock") = false;
        return Err(os(&error, "freeze the user processes"));
    }
    // A sync can take long, and the agent answers others meanwhile.
    let synced = tokio::task::spawn_blocking(nix::unistd::sync).await;
    synced.map_err(|_| fail(FailureCode::Internal, "cannot flush the disks"))
}

/// Makes this machine different from every other clone, proves it, and only then lets user code run.
pub async fn renew(agent: &Agent, renew: Renew) -> Result<Response, Failure> {
    check(&renew)?;
    if agent.place == Place::Machine {
        kernel::reseed(&renew.entropy).map_err(|error| os(&error, "reseed the kernel's generator"))?;
        set_time(agent, renew.unix_nanos)?;
        name_machine(&renew).map_err(|error| os(&error, "name the machine"))?;
    }
    write_state(agent, &renew).map_err(|error| os(&error, "write the boot token and the generation"))?;
    let mut drawn = [0; 32];
    kernel::random(&mut drawn).map_err(|error| os(&error, "draw random bytes"))?;
    thaw(agent)?;
    Ok(Response::Renewed { proof: hex(&Sha256::digest(drawn)), boot_token: renew.boot_token })
}

/// Sets the clock, where it is the machine's own.
pub fn set_time(agent: &Agent, unix_nanos: i64) -> Result<(), Failure> {
    match agent.place {
        Place::Machine => kernel::set_clock(unix_nanos).map_err(|error| os(&error, "set the clock")),
        Place::Shared => Ok(()),
    }
}

/// Lets user processes run, if they were frozen.
pub fn thaw(agent: &Agent) -> Result<(), Failure> {
    match &agent.cgroup {
        Some(group) => group.thaw().map_err(|error| os(&error, "thaw the user processes"))?,
        None => signal_all(agent, libc::SIGCONT),
    }
    *agent.frozen.lock().expect("no panic under this lock") = false;
    Ok(())
}

/// Without a control group, process groups are what can be stopped.
fn signal_all(agent: &Agent, signal: i32) {
    for process in agent.table.lock().expect("no panic under this lock").all() {
        process.signal(signal);
    }
}

fn check(renew: &Renew) -> Result<(), Failure> {
    let invalid = |message: &str| Err(fail(FailureCode::InvalidRequest, message));
    if !(ENTROPY_MIN..=ENTROPY_MAX).contains(&renew.entropy.len()) {
        return invalid("the entropy has not between 32 and 512 bytes");
    }
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if renew.machine_id.len() != 32 || !renew.machine_id.bytes().all(lower_hex) {
        return invalid("the machine id is not 32 lower-case hexadecimal digits");
    }
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if !(1..=HOSTNAME_MAX).contains(&renew.hostname.len()) || !renew.hostname.bytes().all(in_name) {
        return invalid("the host name is empty, too long, or has a character that a name cannot have");
    }
    if renew.boot_token.len() > 256 || renew.boot_token.chars().any(char::is_control) {
        return invalid("the boot token is too long or has a control character");
    }
    Ok(())
}

fn name_machine(renew: &Renew) -> io::Result<()> {
    nix::unistd::sethostname(&renew.hostname)?;
    // Only what the image has a use for.
    if Path::new("/etc/hostname").exists() {
        fs::write("/etc/hostname", format!("{}\n", renew.hostname))?;
    }
    for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
        let path = Path::new(path);
        if path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            replace(path, &format!("{}\n", renew.machine_id))?;
        }
    }
    Ok(())
}

fn write_state(agent: &Agent, renew: &Renew) -> io::Result<()> {
    fs::create_dir_all(&agent.state_dir)?;
    replace(&agent.state_dir.join("boot-token"), &format!("{}\n", renew.boot_token))?;
    // Last: whoever watches it finds everything else done.
    replace(&agent.state_dir.join("generation"), &format!("{}\n", renew.generation))
}

/// Nobody ever sees half of it.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    fs::write(&draft, content)?;
    fs::rename(&draft, path)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}
