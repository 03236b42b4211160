//! Tags: names for ready builds. Moving one is what a tracking pool follows.

use super::{Caller, Engine, Error};
use crate::records::{Tag, TemplateInfo};

impl Engine {
    /// Points all of `tags` at the build that the ref resolves to, at once.
    pub async fn assign_tags(
        &self,
        _caller: &Caller,
        _reference: &str,
        _tags: Vec<String>,
    ) -> Result<TemplateInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    pub async fn list_tags(&self, _caller: &Caller, _reference: &str) -> Result<Vec<Tag>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    pub async fn remove_tag(&self, _caller: &Caller, _reference: &str, _tag: &str) -> Result<(), Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
