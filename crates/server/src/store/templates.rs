//! Templates, their tags, and what a ref means to a caller.

use super::{Error, bodies, body, builds, execute, micros, to_body};
use crate::records::template::{DEFAULT_TAG, SYSTEM_NAMESPACE};
use crate::records::{Build, BuildStatus, Tag, Template, TemplateInfo};
use nullspace_domain::template_ref::{Qualifier, TemplateRef};
use nullspace_domain::{BuildId, TemplateId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

/// Says whether the name was free.
pub fn template_insert(connection: &Connection, template: &Template) -> Result<bool, Error> {
    let sql = "INSERT INTO templates (id, tenant, namespace, name, deleted, body)
        VALUES (?1, ?2, ?3, ?4, 0, ?5) ON CONFLICT DO NOTHING";
    let parameters = params![
        template.id.as_str(),
        template.tenant.as_ref().map(TenantId::as_str),
        template.namespace,
        template.name,
        to_body(template),
    ];
    Ok(execute(connection, sql, parameters)? == 1)
}

pub fn template_update(connection: &Connection, template: &Template) -> Result<(), Error> {
    let sql = "UPDATE templates SET deleted = ?2, body = ?3 WHERE id = ?1";
    execute(connection, sql, params![template.id.as_str(), template.deleted_at.is_some(), to_body(template)])?;
    Ok(())
}

/// Also a deleted one.
pub fn template(connection: &Connection, id: &TemplateId) -> Result<Option<Template>, Error> {
    body(connection, "templates", "SELECT body FROM templates WHERE id = ?1", [id.as_str()])
}

pub fn template_named(connection: &Connection, namespace: &str, name: &str) -> Result<Option<Template>, Error> {
    let sql = "SELECT body FROM templates WHERE namespace = ?1 AND name = ?2 AND NOT deleted";
    body(connection, "templates", sql, [namespace, name])
}

/// Builtins and the tenant's own, by name.
pub fn templates_visible(connection: &Connection, tenant: &TenantId) -> Result<Vec<Template>, Error> {
    let sql = "SELECT body FROM templates WHERE NOT deleted AND (tenant IS NULL OR tenant = ?1)
        ORDER BY namespace, name";
    bodies(connection, "templates", sql, [tenant.as_str()])
}

/// The template that a ref means to a tenant: its own namespace first, then the builtin one.
pub fn template_meant(
    connection: &Connection,
    tenant: &TenantId,
    own_namespace: &str,
    reference: &TemplateRef,
) -> Result<Option<Template>, Error> {
    let found = match reference {
        TemplateRef::Id(id) => template(connection, id)?,
        TemplateRef::Named(named) => match &named.namespace {
            Some(namespace) => template_named(connection, namespace.as_str(), named.name.as_str())?,
            None => match template_named(connection, own_namespace, named.name.as_str())? {
                Some(own) => Some(own),
                None => template_named(connection, SYSTEM_NAMESPACE, named.name.as_str())?,
            },
        },
    };
    // What belongs to another does not exist.
    Ok(found.filter(|found| found.deleted_at.is_none() && found.tenant.as_ref().is_none_or(|owner| owner == tenant)))
}

/// The build that a qualifier of a template means; without one, what its default tag points at, else
/// the latest ready build. Not necessarily ready when it is named exactly.
pub fn build_meant(
    connection: &Connection,
    template: &TemplateId,
    qualifier: Option<&Qualifier>,
) -> Result<Option<Build>, Error> {
    match qualifier {
        Some(Qualifier::Build(id)) => Ok(builds::build(connection, id)?.filter(|build| build.template == *template)),
        Some(Qualifier::Tag(wanted)) => match tag(connection, template, wanted.as_str())? {
            Some(tag) => builds::build(connection, &tag.build),
            // `from_template("base")` travels as `nullspace/base:latest` (spec templates §7.1).
            None if wanted.as_str() == "latest" => default_build(connection, template),
            None => Ok(None),
        },
        None => default_build(connection, template),
    }
}

fn default_build(connection: &Connection, template: &TemplateId) -> Result<Option<Build>, Error> {
    match tag(connection, template, DEFAULT_TAG)? {
        Some(tag) => builds::build(connection, &tag.build),
        None => {
            let latest = builds::build_latest_ready(connection, template)?;
            Ok(latest.filter(|build| build.status == BuildStatus::Ready))
        }
    }
}

pub fn tag(connection: &Connection, template: &TemplateId, tag: &str) -> Result<Option<Tag>, Error> {
    let sql = "SELECT tag, build, assigned_at FROM tags WHERE template = ?1 AND tag = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([template.as_str(), tag], read_tag).optional()?)
}

/// In the order they were last moved, newest first.
pub fn tags(connection: &Connection, template: &TemplateId) -> Result<Vec<Tag>, Error> {
    let sql = "SELECT tag, build, assigned_at FROM tags WHERE template = ?1 ORDER BY assigned_at DESC, tag";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([template.as_str()], read_tag)?;
    Ok(found.collect::<Result<Vec<_>, _>>()?)
}

fn read_tag(row: &rusqlite::Row<'_>) -> rusqlite::Result<Tag> {
    let broken = |column, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    Ok(Tag {
        tag: row.get(0)?,
        build: BuildId::parse(&row.get::<_, String>(1)?).map_err(|error| broken(1, Box::new(error)))?,
        assigned_at: Timestamp::from_microsecond(row.get(2)?).map_err(|error| broken(2, Box::new(error)))?,
    })
}

/// What a tag should do when a build started later already holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A person said so.
    Always,
    /// A finished build does: the tag goes to the build that was started last.
    IfStartedLater,
}

/// Points a tag at a build and records when. Says whether it moved.
pub fn tag_assign(connection: &Connection, build: &Build, tag: &str, how: Move, now: Timestamp) -> Result<bool, Error> {
    let sql = "INSERT INTO tags (template, tag, build, sequence, assigned_at) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (template, tag) DO UPDATE
        SET build = excluded.build, sequence = excluded.sequence, assigned_at = excluded.assigned_at
        WHERE ?6 OR tags.sequence < excluded.sequence";
    let always = how == Move::Always;
    let (template, id) = (build.template.as_str(), build.id.as_str());
    let moved = execute(connection, sql, params![template, tag, id, build.sequence, micros(now), always])? == 1;
    if moved {
        tag_move_record(connection, &build.template, tag, Some(&build.id), now)?;
    }
    Ok(moved)
}

/// Says whether it was there.
pub fn tag_remove(connection: &Connection, template: &TemplateId, tag: &str, now: Timestamp) -> Result<bool, Error> {
    let sql = "DELETE FROM tags WHERE template = ?1 AND tag = ?2";
    let removed = execute(connection, sql, [template.as_str(), tag])? == 1;
    if removed {
        tag_move_record(connection, template, tag, None, now)?;
    }
    Ok(removed)
}

/// What a caller sees of a template; `build` is the one that the ref means.
pub fn template_info(
    connection: &Connection,
    template: &Template,
    build: Option<&Build>,
) -> Result<TemplateInfo, Error> {
    let tags = tags(connection, &template.id)?;
    let meant = default_build(connection, &template.id)?;
    let is_meant = |tag: &&Tag| meant.as_ref().is_some_and(|meant| meant.id == tag.build);
    let default_tag = tags.iter().find(|tag| tag.tag == DEFAULT_TAG).or_else(|| tags.iter().find(is_meant));
    Ok(TemplateInfo {
        id: template.id.clone(),
        namespace: template.namespace.clone(),
        name: template.name.clone(),
        description: template.description.clone(),
        builtin: template.is_builtin(),
        canonical_ref: template.canonical_ref(),
        default_tag: default_tag.map(|tag| tag.tag.clone()),
        tags: tags.into_iter().map(|tag| tag.tag).collect(),
        runtime: build.or(meant.as_ref()).map(|build| build.runtime.clone()),
        created_at: template.created_at,
    })
}

fn tag_move_record(
    connection: &Connection,
    template: &TemplateId,
    tag: &str,
    build: Option<&BuildId>,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "INSERT INTO tag_moves (template, tag, build, moved_at) VALUES (?1, ?2, ?3, ?4)";
    execute(connection, sql, params![template.as_str(), tag, build.map(BuildId::as_str), micros(now)])?;
    Ok(())
}
