//! What is wrong with a request, all of it, and a reader that notices.

use crate::limits::PROBLEMS_MAX;
use crate::name::Invalid;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

/// One thing that is wrong with a build request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field as the caller wrote it: `steps[2].packages[0]`.
    pub field: String,
    /// `invalid_request` or `file_upload_error`.
    pub code: &'static str,
    /// A sentence that names the field.
    pub message: String,
    /// Where a build would have failed (spec api §5, template failure phase).
    pub phase: &'static str,
}

/// Everything that is wrong with a request; bounded, whatever was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `problem` continues the sentence that the field's name begins.
    pub fn add(&mut self, field: impl Into<String>, problem: impl fmt::Display) {
        self.add_as("invalid_request", "preflight", field.into(), problem);
    }

    /// A problem with the files that were sent along.
    pub fn add_upload(&mut self, field: impl Into<String>, problem: impl fmt::Display) {
        self.add_as("file_upload_error", "blob_upload", field.into(), problem);
    }

    fn add_as(&mut self, code: &'static str, phase: &'static str, field: String, problem: impl fmt::Display) {
        if self.0.len() < PROBLEMS_MAX {
            let message = format!("`{field}` {problem}");
            self.0.push(Problem { field, code, message, phase });
        }
    }

    /// Takes the value, or notes why there is none.
    pub fn keep<T>(&mut self, result: Result<T, Invalid>) -> Option<T> {
        result.map_err(|invalid| self.add(invalid.field, invalid.problem)).ok()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

/// An object whose fields may hold anything. What is absent or null is none; what has the wrong type
/// is a problem and none.
pub(super) struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// `path` is empty for the request itself.
    pub fn of(path: impl Into<String>, value: &'a Value, problems: &mut Problems) -> Option<Self> {
        let path = path.into();
        match value {
            Value::Object(map) => Some(Self { path, map }),
            _ => {
                problems.add(if path.is_empty() { "body".to_owned() } else { path }, "must be an object");
                None
            }
        }
    }

    /// The name of a field of this object, from the request's root.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub fn has(&self, key: &str) -> bool {
        self.any(key).is_some()
    }

    pub fn any(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub fn text(&self, key: &str, problems: &mut Problems) -> Option<&'a str> {
        let value = self.any(key)?;
        value.as_str().or_else(|| self.wrong(key, "must be a string", problems))
    }

    pub fn flag(&self, key: &str, problems: &mut Problems) -> Option<bool> {
        let value = self.any(key)?;
        value.as_bool().or_else(|| self.wrong(key, "must be true or false", problems))
    }

    pub fn number(&self, key: &str, allowed: RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
        let value = self.any(key)?;
        let (least, most) = (allowed.start(), allowed.end());
        let number = value.as_u64().filter(|number| allowed.contains(number));
        number.or_else(|| self.wrong(key, format!("must be a whole number from {least} to {most}"), problems))
    }

    pub fn object(&self, key: &str, problems: &mut Problems) -> Option<Fields<'a>> {
        Fields::of(self.path(key), self.any(key)?, problems)
    }

    /// The items with their own paths; a longer list than allowed is a problem and none.
    pub fn list(&self, key: &str, most: usize, problems: &mut Problems) -> Option<Vec<(String, &'a Value)>> {
        let Some(items) = self.any(key)?.as_array() else {
            return self.wrong(key, "must be an array", problems);
        };
        if items.len() > most {
            return self.wrong(key, format!("has {} entries, at most {most} are allowed", items.len()), problems);
        }
        let path = self.path(key);
        Some(items.iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect())
    }

    pub fn texts(&self, key: &str, problems: &mut Problems) -> BTreeMap<String, String> {
        let Some(Value::Object(map)) = self.any(key) else {
            if self.has(key) {
                problems.add(self.path(key), "must be an object of strings");
            }
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for (name, value) in map {
            match value.as_str() {
                Some(text) => {
                    texts.insert(name.clone(), text.to_owned());
                }
                None => problems.add(format!("{}.{name}", self.path(key)), "must be a string"),
            }
        }
        texts
    }

    fn wrong<T>(&self, key: &str, problem: impl fmt::Display, problems: &mut Problems) -> Option<T> {
        problems.add(self.path(key), problem);
        None
    }
}
