//! Small values in flags: `KEY=VALUE`, JSON objects, and texts that may come from a file.

use crate::failure::Failure;
use nullspace_api::Object;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `KEY=VALUE`, split at the first `=`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// A JSON object.
pub fn object(text: &str) -> Result<Object, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("expected a JSON object".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

/// An object and pairs on top of it; `None` when neither was given.
pub fn merged(base: Option<Object>, pairs: &[(String, String)]) -> Option<Object> {
    if base.is_none() && pairs.is_empty() {
        return None;
    }
    let mut merged = base.unwrap_or_default();
    merged.extend(pairs.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))));
    Some(merged)
}

/// Pairs as a map of texts; `None` when there are none.
pub fn texts(pairs: &[(String, String)]) -> Option<BTreeMap<String, String>> {
    (!pairs.is_empty()).then(|| pairs.iter().cloned().collect())
}

/// An object whose values must be texts, and pairs on top of it.
pub fn text_map(
    flag: &str,
    base: Option<Object>,
    pairs: &[(String, String)],
) -> Result<Option<BTreeMap<String, String>>, Failure> {
    let Some(merged) = merged(base, pairs) else { return Ok(None) };
    merged
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            _ => Err(Failure::usage(flag, format!("the value of `{key}` is not a text"))),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

/// A text, or with `@` before it the content of a file.
pub fn text_or_file(text: &str) -> Result<String, Failure> {
    match text.strip_prefix('@') {
        None => Ok(text.to_owned()),
        Some(path) => {
            let path = PathBuf::from(path);
            std::fs::read_to_string(&path).map_err(|source| Failure::File { action: "read", path, source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_split_at_the_first_equals_and_win_over_json() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        assert!(pair("=b").is_err());
        let merged = merged(Some(object(r#"{"a":1,"b":2}"#).unwrap()), &[pair("a=x").unwrap()]).unwrap();
        assert_eq!(serde_json::to_string(&merged).unwrap(), r#"{"a":"x","b":2}"#);
        assert!(object("[1]").is_err());
    }
}
