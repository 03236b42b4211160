//! Templates a caller may use: builtins and their own.

use super::{Caller, Engine, Error};
use crate::records::TemplateInfo;
use crate::store::templates;
use rusqlite::Connection;

impl Engine {
    /// By namespace and name.
    pub async fn list_templates(&self, caller: &Caller) -> Result<Vec<TemplateInfo>, Error> {
        let caller = caller.clone();
        let list = move |connection: &Connection| {
            let visible = templates::templates_visible(connection, &caller.tenant)?;
            let infos = visible.iter().map(|template| templates::template_info(connection, template, None));
            Ok(infos.collect::<Result<Vec<_>, _>>()?)
        };
        self.inner.store.read(list).await
    }
}
