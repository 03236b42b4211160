//! Pointing tags at a build.

use super::tags::{move_tags, parse_tags};
use super::{Caller, Engine, Error, lookup};
use crate::records::TemplateInfo;

impl Engine {
    pub async fn promote_build(&self, caller: &Caller, id: &str, tags: Vec<String>) -> Result<TemplateInfo, Error> {
        let tags = parse_tags(&tags)?;
        let (caller, id, now) = (caller.clone(), id.to_owned(), self.now());
        let promote = move |tx: &rusqlite::Transaction<'_>| {
            let build = lookup::build(tx, &caller, &id)?;
            move_tags(tx, &build, &tags, now)
        };
        let (info, pools) = self.inner.store.write_durable(promote).await?;
        pools.iter().for_each(|pool| self.inner.due.mark(pool));
        Ok(info)
    }
}
