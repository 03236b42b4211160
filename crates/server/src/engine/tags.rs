//! Tags: names for ready builds. Moving one is what a tracking pool follows.

use super::{Caller, Engine, Error, lookup};
use crate::records::{Build, BuildStatus, Tag, Template, TemplateInfo};
use crate::store::{pools, templates};
use nullspace_domain::limits::TAGS_MAX;
use nullspace_domain::name;
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::{Timestamp, WarmPoolId};
use rusqlite::Connection;

impl Engine {
    /// Points all of `tags` at the build that the ref resolves to, at once.
    pub async fn assign_tags(
        &self,
        caller: &Caller,
        reference: &str,
        tags: Vec<String>,
    ) -> Result<TemplateInfo, Error> {
        let tags = parse_tags(&tags)?;
        let reference = TemplateRef::parse_field("ref", reference)?;
        let (caller, now) = (caller.clone(), self.now());
        let assign = move |tx: &rusqlite::Transaction<'_>| {
            let template = own_template(tx, &caller, &reference)?;
            let build = templates::build_meant(tx, &template.id, lookup::qualifier(&reference))?;
            let build = build.ok_or_else(|| Error::TemplateNotFound { reference: reference.to_string() })?;
            move_tags(tx, &build, &tags, now)
        };
        let (info, pools) = self.inner.store.write_durable(assign).await?;
        pools.iter().for_each(|pool| self.inner.due.mark(pool));
        Ok(info)
    }

    /// Last moved first.
    pub async fn list_tags(&self, caller: &Caller, reference: &str) -> Result<Vec<Tag>, Error> {
        let reference = TemplateRef::parse_field("ref", reference)?;
        let caller = caller.clone();
        let list = move |connection: &Connection| {
            let template = own_template(connection, &caller, &reference)?;
            Ok(templates::tags(connection, &template.id)?)
        };
        self.inner.store.read(list).await
    }

    /// The build stays, under its id and its other tags.
    pub async fn remove_tag(&self, caller: &Caller, reference: &str, tag: &str) -> Result<(), Error> {
        let parsed = TemplateRef::parse_field("ref", reference)?;
        let tag = name::Tag::parse_field("tag", tag)?.to_string();
        let (caller, now) = (caller.clone(), self.now());
        let remove = move |tx: &rusqlite::Transaction<'_>| {
            let template = own_template(tx, &caller, &parsed)?;
            if !templates::tag_remove(tx, &template.id, &tag, now)? {
                return Err(Error::TagNotFound { reference: template.canonical_ref(), tag });
            }
            Ok(pools::pool_ids_of_template(tx, &template.id)?)
        };
        let pools = self.inner.store.write_durable(remove).await?;
        pools.iter().for_each(|pool| self.inner.due.mark(pool));
        Ok(())
    }
}

/// Nobody changes a builtin.
pub(super) fn own_template(
    connection: &Connection,
    caller: &Caller,
    reference: &TemplateRef,
) -> Result<Template, Error> {
    let template = lookup::template(connection, caller, reference)?;
    match template.is_builtin() {
        true => Err(Error::invalid("ref", format!("`{}` is builtin and cannot be changed", template.canonical_ref()))),
        false => Ok(template),
    }
}

pub(super) fn parse_tags(tags: &[String]) -> Result<Vec<String>, Error> {
    if tags.is_empty() || tags.len() > TAGS_MAX {
        return Err(Error::invalid("tags", format!("`tags` must hold 1 to {TAGS_MAX} tags")));
    }
    tags.iter().map(|tag| Ok(name::Tag::parse_field("tags", tag)?.to_string())).collect()
}

/// All of them or none. Returns the pools that may follow one.
pub(super) fn move_tags(
    tx: &Connection,
    build: &Build,
    tags: &[String],
    now: Timestamp,
) -> Result<(TemplateInfo, Vec<WarmPoolId>), Error> {
    if build.status != BuildStatus::Ready {
        return Err(Error::BuildNotPromotable { id: build.id.clone(), status: build.status });
    }
    let template = templates::template(tx, &build.template)?.filter(|template| template.deleted_at.is_none());
    let template = template.ok_or_else(|| Error::TemplateNotFound { reference: build.canonical_ref() })?;
    for tag in tags {
        templates::tag_assign(tx, build, tag, templates::Move::Always, now)?;
    }
    let info = templates::template_info(tx, &template, Some(build))?;
    Ok((info, pools::pool_ids_of_template(tx, &template.id)?))
}
