//! Builtin templates are built when somebody first uses one.

use super::{Caller, Engine, Error};
use crate::records::Template;
use nullspace_domain::template_ref::TemplateRef;

impl Engine {
    pub(super) async fn build_builtin(&self, template: &Template) -> Result<(), Error> {
        Err(Error::TemplateNotFound { reference: template.canonical_ref() })
    }
    pub(super) async fn build_builtin_meant(&self, _caller: &Caller, _reference: &TemplateRef) -> Result<(), Error> {
        Ok(())
    }
    pub(super) async fn recover_builds(&self) -> Result<(), Error> {
        Ok(())
    }
}
