//! Finds the guest agent: the configured file, the file that `NULLSPACE_GUEST_AGENT` names, the one
//! built into this program, or `nullspace-guest` beside the program.

use super::Settings;
use crate::driver::Error;
use std::borrow::Cow;
use std::path::PathBuf;

#[cfg(nullspace_agent_embedded)]
const EMBEDDED: Option<&[u8]> = Some(include_bytes!(env!("NULLSPACE_GUEST_AGENT_EMBEDDED")));
#[cfg(not(nullspace_agent_embedded))]
const EMBEDDED: Option<&[u8]> = None;

/// The agent's program.
pub fn find_agent(settings: &Settings) -> Result<Cow<'static, [u8]>, Error> {
    if let Some(path) = &settings.agent {
        return read(path.clone());
    }
    // What was set for this run comes before what was built in: that is how an agent is tried out.
    if let Some(path) = std::env::var_os("NULLSPACE_GUEST_AGENT").filter(|path| !path.is_empty()) {
        return read(path.into());
    }
    if let Some(bytes) = EMBEDDED {
        return Ok(Cow::Borrowed(bytes));
    }
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name("nullspace-guest"));
    match beside.filter(|path| path.is_file()) {
        Some(path) => read(path),
        None => Err(Error::Unavailable(
            "there is no guest agent: build with `make build`, which embeds it, or set NULLSPACE_GUEST_AGENT \
             to a static `nullspace-guest`"
                .into(),
        )),
    }
}

fn read(path: PathBuf) -> Result<Cow<'static, [u8]>, Error> {
    std::fs::read(&path).map(Cow::Owned).map_err(Error::file("read the guest agent", &path))
}
