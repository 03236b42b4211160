//! One template, by any form of ref.

use super::{Caller, Engine, Error};
use crate::records::TemplateInfo;

impl Engine {
    pub async fn get_template(&self, _caller: &Caller, _reference: &str) -> Result<TemplateInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
