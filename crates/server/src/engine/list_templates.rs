//! Templates a caller may use: builtins and their own.

use super::{Caller, Engine, Error};
use crate::records::TemplateInfo;

impl Engine {
    pub async fn list_templates(&self, _caller: &Caller) -> Result<Vec<TemplateInfo>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
