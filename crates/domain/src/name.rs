//! The names people give, and what may be in them. Parsed at the door; past it, names are typed.
//!
//! Published clients validate none of this (spec templates §8), so every refusal here names the field
//! and says what is allowed.

use crate::limits::{
    ENV_BYTES_MAX, ENVS_MAX, LABEL_KEY_MAX, LABEL_VALUE_MAX, LABELS_MAX, METADATA_BYTES_MAX, NAME_MAX,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The namespace of what everybody has.
pub const BUILTIN_NAMESPACE: &str = "nullspace";

/// A field that holds something it may not, and what it may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct Invalid {
    pub field: String,
    /// Continues the sentence that the field's name begins.
    pub problem: String,
}

impl Invalid {
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $field:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Takes a text that came from outside in the field of this name.
            pub fn parse_field(field: &str, text: &str) -> Result<Self, Invalid> {
                $check(text).map(|()| Self(text.to_owned())).map_err(|problem| Invalid::new(field, problem))
            }

            pub fn parse(text: &str) -> Result<Self, Invalid> {
                Self::parse_field($field, text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(/// A template's name inside its namespace: one path segment.
    TemplateName, "name", check_template_name);
name!(/// A movable pointer to one build of a template.
    Tag, "tag", check_tag);
name!(/// Whose templates: lower-case words with dashes, or a UUID (which is a case of that).
    NamespaceSlug, "namespace", check_slug);

impl NamespaceSlug {
    /// Takes a slug that a tenant wants for itself.
    pub fn parse_own(field: &str, text: &str) -> Result<Self, Invalid> {
        let slug = Self::parse_field(field, text)?;
        if slug.is_builtin() {
            return Err(Invalid::new(field, format!("may not be `{BUILTIN_NAMESPACE}`: that namespace is reserved")));
        }
        Ok(slug)
    }

    /// Whether it holds the templates everybody has.
    pub fn is_builtin(&self) -> bool {
        self.0 == BUILTIN_NAMESPACE
    }
}

impl Tag {
    /// The tag of a build that asked for none (spec templates §1).
    pub fn default_tag() -> Self {
        Self("default".to_owned())
    }
}

fn check_segment(text: &str) -> Result<(), String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty()
        || text.len() > NAME_MAX
        || !text.bytes().all(legal)
        || !text.as_bytes()[0].is_ascii_alphanumeric()
    {
        return Err(format!(
            "must be 1 to {NAME_MAX} letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
        ));
    }
    Ok(())
}

fn check_template_name(text: &str) -> Result<(), String> {
    check_segment(text)?;
    match text.starts_with("tmpl_") {
        true => Err("may not begin with `tmpl_`: that is how template ids begin".to_owned()),
        false => Ok(()),
    }
}

fn check_tag(text: &str) -> Result<(), String> {
    check_segment(text)?;
    match text.starts_with("tb_") {
        true => Err("may not begin with `tb_`: that is how build ids begin".to_owned()),
        false => Ok(()),
    }
}

fn check_slug(text: &str) -> Result<(), String> {
    let group = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    // 63 is a DNS label's length: a slug may become one.
    if text.len() > 63 || !text.split('-').all(group) {
        return Err("must be at most 63 lower-case letters and digits, in groups joined by single dashes".to_owned());
    }
    Ok(())
}

/// A name for people to read, as of a pool: any text on one line.
pub fn display_name(field: &str, text: &str) -> Result<String, Invalid> {
    if text.trim().is_empty() || text.chars().count() > NAME_MAX || text.chars().any(char::is_control) {
        return Err(Invalid::new(field, format!("must be 1 to {NAME_MAX} characters without control characters")));
    }
    Ok(text.to_owned())
}

/// Environment variables: names a shell can use, no NUL, bounded together.
pub fn envs(field: &str, envs: &BTreeMap<String, String>) -> Result<(), Invalid> {
    if envs.len() > ENVS_MAX {
        return Err(Invalid::new(field, format!("holds {} variables, at most {ENVS_MAX} are allowed", envs.len())));
    }
    if envs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > ENV_BYTES_MAX {
        return Err(Invalid::new(field, format!("is larger than {ENV_BYTES_MAX} bytes")));
    }
    for (name, value) in envs {
        env_name(&format!("{field}.{}", shown(name)), name)?;
        if value.contains('\0') {
            return Err(Invalid::new(format!("{field}.{name}"), "may not contain a NUL character"));
        }
    }
    Ok(())
}

/// One environment variable's name.
pub fn env_name(field: &str, name: &str) -> Result<(), Invalid> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.len() > NAME_MAX || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(legal) {
        let problem = format!(
            "must be 1 to {NAME_MAX} letters, digits or `_`, not beginning with a digit, to be a variable's name"
        );
        return Err(Invalid::new(field, problem));
    }
    Ok(())
}

/// Labels: short texts to find things by.
pub fn labels(field: &str, labels: &BTreeMap<String, String>) -> Result<(), Invalid> {
    if labels.len() > LABELS_MAX {
        return Err(Invalid::new(field, format!("holds {} labels, at most {LABELS_MAX} are allowed", labels.len())));
    }
    for (key, value) in labels {
        if key.is_empty() || key.len() > LABEL_KEY_MAX || key.chars().any(|c| c.is_control() || c == '=') {
            let problem = format!("must have a key of 1 to {LABEL_KEY_MAX} bytes without `=` and control characters");
            return Err(Invalid::new(format!("{field}.{}", shown(key)), problem));
        }
        if value.len() > LABEL_VALUE_MAX || value.chars().any(char::is_control) {
            let problem = format!("must be at most {LABEL_VALUE_MAX} bytes without control characters");
            return Err(Invalid::new(format!("{field}.{key}"), problem));
        }
    }
    Ok(())
}

/// Metadata: whatever its owner likes, bounded.
pub fn metadata(field: &str, metadata: &serde_json::Map<String, serde_json::Value>) -> Result<(), Invalid> {
    let size = serde_json::to_vec(metadata).map_or(usize::MAX, |bytes| bytes.len());
    if size > METADATA_BYTES_MAX {
        return Err(Invalid::new(field, format!("is larger than {METADATA_BYTES_MAX} bytes as JSON")));
    }
    Ok(())
}

/// The body of the id that a pool of this name gets: `review-api-small` becomes `review_api_small`.
/// What to do when it is taken is the caller's business.
pub fn pool_id_body(name: &str) -> String {
    // Short enough that the prefix and a suffix still fit an id.
    const BODY_MAX: usize = 64;
    let body: String = name.chars().take(BODY_MAX).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if body.is_empty() { "pool".to_owned() } else { body }
}

/// A key as it may stand in an error: short, and on one line.
fn shown(key: &str) -> String {
    key.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WarmPoolId;

    #[test]
    fn names_are_one_segment_and_do_not_look_like_ids() {
        for good in ["a", "review-api", "Py3.11_x", "0"] {
            assert!(TemplateName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "a/b", "a:b", "a b", "é", "tmpl_1", &"x".repeat(129)] {
            assert!(TemplateName::parse(bad).is_err(), "{bad}");
        }
        assert!(Tag::parse("tb_1").is_err());
        assert!(Tag::parse("v1.2-rc_3").is_ok());
    }

    #[test]
    fn slugs_are_dash_groups_and_nullspace_is_nobodys() {
        for good in ["team", "a-1-b", "nullspace", "6b3f0c1e-0f3d-4a53-8f52-0a3f6e0c9a11"] {
            assert!(NamespaceSlug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "Team", "a--b", "-a", "a-", "a_b", &"x".repeat(64)] {
            assert!(NamespaceSlug::parse(bad).is_err(), "{bad}");
        }
        let refused = NamespaceSlug::parse_own("slug", "nullspace").unwrap_err();
        assert_eq!(refused.to_string(), "`slug` may not be `nullspace`: that namespace is reserved");
    }

    #[test]
    fn a_refused_variable_or_label_is_named() {
        let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(envs("envs", &one("1A", "")).unwrap_err().field, "envs.1A");
        assert_eq!(envs("envs", &one("A", "\0")).unwrap_err().field, "envs.A");
        assert!(envs("envs", &one("A", &"x".repeat(ENV_BYTES_MAX))).is_err());
        assert!(envs("envs", &one("PATH", "/bin")).is_ok());
        assert_eq!(labels("labels", &one("team", &"x".repeat(513))).unwrap_err().field, "labels.team");
        assert!(labels("labels", &one("a=b", "")).is_err());
        assert!(labels("labels", &one("app.kubernetes.io/name", "x y")).is_ok());
    }

    #[test]
    fn any_pool_name_makes_a_legal_id() {
        assert_eq!(pool_id_body("review-api-small"), "review_api_small");
        for name in ["", "é/%", &"x".repeat(500)] {
            let id = format!("{}{}", WarmPoolId::PREFIX, pool_id_body(name));
            assert!(WarmPoolId::parse(&id).is_ok(), "{name}");
        }
    }
}
