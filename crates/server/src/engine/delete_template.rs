//! Removing a template. Sandboxes of it live on, pools of it degrade; its artifacts go when nothing
//! uses them.

use super::tags::own_template;
use super::{Caller, Engine, Error, lookup};
use crate::store::{builds, pools, templates};
use nullspace_domain::template_ref::TemplateRef;

impl Engine {
    /// The ref must name the template and not one of its builds: those are let go by their tags.
    pub async fn delete_template(&self, caller: &Caller, reference: &str) -> Result<(), Error> {
        let reference = TemplateRef::parse_field("ref", reference)?;
        if lookup::qualifier(&reference).is_some() {
            let message = "`ref` names one build: leave out the tag to delete the template, or remove the tag";
            return Err(Error::invalid("ref", message));
        }
        let (caller, now) = (caller.clone(), self.now());
        let delete = move |tx: &rusqlite::Transaction<'_>| {
            let mut template = own_template(tx, &caller, &reference)?;
            template.deleted_at = Some(now);
            templates::template_update(tx, &template)?;
            let running = builds::builds_unfinished(tx)?.into_iter().filter(|build| build.template == template.id);
            let running: Vec<_> = running.map(|build| build.id).collect();
            Ok::<_, Error>((running, pools::pool_ids_of_template(tx, &template.id)?))
        };
        let (running, pools) = self.inner.store.write_durable(delete).await?;
        running.iter().for_each(|build| self.inner.builds.cancel(build));
        pools.iter().for_each(|pool| self.inner.due.mark(pool));
        Ok(())
    }
}
