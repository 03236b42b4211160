//! The same request once more, as a build of its own.

use super::{Caller, Engine, Error};
use crate::records::Build;
use nullspace_node::api::RegistryAuth;

impl Engine {
    /// Credentials are not kept, so a build that needed them needs them again.
    pub async fn retry_build(
        &self,
        _caller: &Caller,
        _id: &str,
        _tags: Option<Vec<String>>,
        _base_image_auth: Option<RegistryAuth>,
    ) -> Result<Build, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
