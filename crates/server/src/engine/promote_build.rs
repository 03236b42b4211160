//! Pointing a tag at a build.

use super::{Caller, Engine, Error};
use crate::records::TemplateInfo;

impl Engine {
    pub async fn promote_build(&self, _caller: &Caller, _id: &str, _tags: Vec<String>) -> Result<TemplateInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
