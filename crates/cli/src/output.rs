//! What goes to standard output: data, and nothing else.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value;
use std::io::{ErrorKind, Write};

/// One JSON document, indented by two.
pub fn json<T: Serialize>(value: &T) -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(std::io::Error::other)?;
    text.push('\n');
    write(text.as_bytes())
}

/// Bytes as they are. A reader that went away (`| head`) is no error.
pub fn write(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

pub fn show<T: Serialize>(value: &T) -> Result<(), Failure> {
    json(value).map_err(|source| Failure::Stdout { source })
}

pub fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    raw(format!("{}\n", text.as_ref()).as_bytes())
}

pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    write(bytes).map_err(|source| Failure::Stdout { source })
}

/// A list: JSON, chosen fields separated by tabs, or a table of the usual columns.
pub fn list<T: Serialize>(items: &[T], columns: &[&str], fields: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let values: Vec<Value> = items.iter().map(|item| serde_json::to_value(item).unwrap_or(Value::Null)).collect();
    match (fields, as_json) {
        (Some(fields), true) => {
            let names = names(fields)?;
            let chosen: Vec<Value> = values.iter().map(|value| pick(value, &names)).collect();
            show(&chosen)
        }
        (None, true) => show(&items),
        (Some(fields), false) => {
            let names = names(fields)?;
            for value in &values {
                let cells: Vec<String> = names.iter().map(|name| cell(value, name)).collect();
                line(cells.join("\t"))?;
            }
            Ok(())
        }
        (None, false) => table(columns, &values),
    }
}

/// One object: all of it, or only the chosen fields.
pub fn object<T: Serialize>(item: &T, fields: Option<&str>) -> Result<(), Failure> {
    match fields {
        None => show(item),
        Some(fields) => {
            let value = serde_json::to_value(item).unwrap_or(Value::Null);
            show(&pick(&value, &names(fields)?))
        }
    }
}

fn names(fields: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<String> =
        fields.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() {
        return Err(Failure::usage("--fields", "name at least one field"));
    }
    Ok(names)
}

fn pick(value: &Value, names: &[String]) -> Value {
    names
        .iter()
        .filter_map(|name| Some((name.clone(), value.get(name)?.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A column named `a.b` looks into an object.
fn cell(value: &Value, column: &str) -> String {
    match column.split('.').try_fold(value, |value, part| value.get(part)) {
        None | Some(Value::Null) => String::new(),
        Some(value @ Value::String(_)) => word(value),
        Some(Value::Array(items)) => items.iter().map(word).collect::<Vec<_>>().join(","),
        Some(other) => other.to_string(),
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table(columns: &[&str], values: &[Value]) -> Result<(), Failure> {
    let mut rows = vec![columns.iter().map(|column| column.to_uppercase().replace('.', " ")).collect::<Vec<_>>()];
    rows.extend(values.iter().map(|value| columns.iter().map(|column| cell(value, column)).collect()));
    let widths: Vec<usize> =
        (0..columns.len()).map(|index| rows.iter().map(|row| row[index].chars().count()).max().unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_look_into_objects_and_join_lists() {
        let value = json!({"config": {"vcpus": 2}, "tags": ["a", "b"], "none": null});
        assert_eq!(cell(&value, "config.vcpus"), "2");
        assert_eq!(cell(&value, "tags"), "a,b");
        assert_eq!(cell(&value, "none"), "");
        assert_eq!(cell(&value, "missing.deep"), "");
    }

    #[test]
    fn picking_keeps_only_what_is_there() {
        let names = names("id, nope,").unwrap();
        assert_eq!(pick(&json!({"id": 1, "x": 2}), &names), json!({"id": 1}));
        assert!(super::names(" , ").is_err());
    }
}
