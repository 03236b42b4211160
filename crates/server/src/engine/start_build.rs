//! A build begins: checked, recorded, queued.

use super::{BuildRequest, Caller, Engine, Error};
use crate::records::Build;

impl Engine {
    /// Answers as soon as it is recorded; `follow_build` tells the rest. It lives on when the
    /// caller goes away.
    pub async fn start_build(&self, _caller: &Caller, _request: BuildRequest) -> Result<Build, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
