//! How a caller points at a template (spec templates §3.1).
//!
//! ```text
//! name   name:tag   name:tb_…   namespace/name[:tag or :tb_…]   tmpl_…
//! ```
//!
//! A ref is only parsed here. Which template it means depends on who asks, and aliases, so that is
//! looked up elsewhere.

use crate::name::{Invalid, NamespaceSlug, Tag, TemplateName};
use crate::{BuildId, TemplateId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A parsed template ref.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TemplateRef {
    Id(TemplateId),
    Named(NamedRef),
}

/// A template by name, and perhaps which of its builds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedRef {
    /// None means the caller's own namespace first, then the builtin one.
    pub namespace: Option<NamespaceSlug>,
    pub name: TemplateName,
    /// None means tag `default`, else the template's default tag or latest ready build.
    pub qualifier: Option<Qualifier>,
}

/// Which build of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qualifier {
    Tag(Tag),
    Build(BuildId),
}

impl TemplateRef {
    /// Takes a ref that came from outside in the field of this name.
    pub fn parse_field(field: &str, text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(
                field,
                "is empty: expected `name`, `name:tag`, `name:tb_…`, `namespace/name` or `tmpl_…`",
            ));
        }
        if text.starts_with(TemplateId::PREFIX) && !text.contains(['/', ':']) {
            return TemplateId::parse(text).map(Self::Id).map_err(|error| Invalid::new(field, error.to_string()));
        }
        let (namespace, rest) = match text.split_once('/') {
            Some((slug, rest)) => (Some(part(field, "namespace", slug, NamespaceSlug::parse)?), rest),
            None => (None, text),
        };
        let (name, qualifier) = match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(Qualifier::parse(field, qualifier)?)),
            None => (rest, None),
        };
        let name = part(field, "name", name, TemplateName::parse)?;
        Ok(Self::Named(NamedRef { namespace, name, qualifier }))
    }

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::parse_field("template", text)
    }

    /// The build it names exactly, if it does.
    pub fn exact_build(&self) -> Option<&BuildId> {
        match self {
            Self::Named(NamedRef { qualifier: Some(Qualifier::Build(build)), .. }) => Some(build),
            _ => None,
        }
    }

    /// The tag it names, if it does.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Named(NamedRef { qualifier: Some(Qualifier::Tag(tag)), .. }) => Some(tag),
            _ => None,
        }
    }
}

impl Qualifier {
    fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        if text.starts_with(BuildId::PREFIX) {
            return BuildId::parse(text).map(Self::Build).map_err(|error| Invalid::new(field, error.to_string()));
        }
        part(field, "tag", text, Tag::parse).map(Self::Tag)
    }
}

/// Says which part of the ref was wrong, under the name of the field the caller sent.
fn part<T>(field: &str, what: &str, text: &str, parse: fn(&str) -> Result<T, Invalid>) -> Result<T, Invalid> {
    parse(text).map_err(|error| Invalid::new(field, format!("is not a template ref: its {what} {}", error.problem)))
}

impl fmt::Display for TemplateRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Named(named) => named.fmt(f),
        }
    }
}

impl fmt::Display for NamedRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        self.name.fmt(f)?;
        match &self.qualifier {
            Some(Qualifier::Tag(tag)) => write!(f, ":{tag}"),
            Some(Qualifier::Build(build)) => write!(f, ":{build}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for TemplateRef {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<TemplateRef> for String {
    fn from(template: TemplateRef) -> String {
        template.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_form_parses_and_prints_as_it_was_written() {
        for text in [
            "base",
            "review-api:stable",
            "review-api:tb_1",
            "team/review-api",
            "team/review-api:stable",
            "team/review-api:tb_01jx",
            "nullspace/python:latest",
            "tmpl_01jx",
        ] {
            assert_eq!(TemplateRef::parse(text).unwrap().to_string(), text);
        }
        assert!(matches!(TemplateRef::parse("tmpl_01jx").unwrap(), TemplateRef::Id(_)));
        assert_eq!(TemplateRef::parse("a:tb_1").unwrap().exact_build().unwrap().as_str(), "tb_1");
        assert_eq!(TemplateRef::parse("a:v1").unwrap().tag().unwrap().as_str(), "v1");
    }

    #[test]
    fn a_bad_ref_names_the_field_and_the_part_that_is_wrong() {
        for (text, part) in [
            ("", "is empty"),
            ("a:", "its tag"),
            (":a", "its name"),
            ("/a", "its namespace"),
            ("a/", "its name"),
            ("A/b", "its namespace"),
            ("a/b/c", "its name"),
            ("a:b:c", "its tag"),
            ("a:tb_", "build id"),
            ("tmpl_", "template id"),
            ("tmpl_1:v1", "its name"),
            ("a b", "its name"),
        ] {
            let refused = TemplateRef::parse_field("template_ref", text).unwrap_err();
            assert_eq!(refused.field, "template_ref");
            assert!(refused.problem.contains(part), "{text}: {refused}");
        }
    }
}
