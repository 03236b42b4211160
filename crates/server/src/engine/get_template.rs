//! One template, by any form of ref.

use super::{Caller, Engine, Error, lookup};
use crate::records::TemplateInfo;
use crate::store::templates;
use nullspace_domain::template_ref::TemplateRef;
use rusqlite::Connection;

impl Engine {
    /// Not found as well when the tag or build that the ref names is not there.
    pub async fn get_template(&self, caller: &Caller, reference: &str) -> Result<TemplateInfo, Error> {
        let reference = TemplateRef::parse_field("ref", reference)?;
        let caller = caller.clone();
        let get = move |connection: &Connection| {
            let template = lookup::template(connection, &caller, &reference)?;
            let qualifier = lookup::qualifier(&reference);
            let build = templates::build_meant(connection, &template.id, qualifier)?;
            // A builtin is there before it is built.
            if qualifier.is_some() && build.is_none() && !template.is_builtin() {
                return Err(Error::TemplateNotFound { reference: reference.to_string() });
            }
            Ok(templates::template_info(connection, &template, build.as_ref())?)
        };
        self.inner.store.read(get).await
    }
}
