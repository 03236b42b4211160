//! The port and the sandbox of a preview call, checked.

use crate::engine::Caller;
use crate::http::App;
use crate::http::nullspace::Error;
use crate::http::preview;
use nullspace_domain::{PreviewGrantId, SandboxId};

/// A port that may be reached.
pub fn parse(port: u32) -> Result<u16, Error> {
    u16::try_from(port)
        .ok()
        .filter(|port| !preview::is_refused(*port))
        .ok_or_else(|| Error::invalid("port", "`port` is 1 to 65535, but not 22 and not 5900 to 5999"))
}

/// The sandbox, which must be the caller's.
pub async fn sandbox(app: &App, caller: &Caller, id: &str) -> Result<SandboxId, Error> {
    Ok(app.engine.get_sandbox(caller, id).await?.id)
}

/// An id for a new grant.
pub fn grant_id() -> PreviewGrantId {
    PreviewGrantId::from_body(&ulid::Ulid::generate().to_string().to_lowercase())
}

/// A failure of the signer is ours.
pub fn failed(source: preview::Error) -> Error {
    Error::Internal { doing: "keep the preview grant", source: source.into() }
}
