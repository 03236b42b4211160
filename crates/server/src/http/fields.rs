//! `fields=a,b,c`: an answer reduced to the fields that were asked for (spec api §1.11).

use super::nullspace::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::IntoParams;

/// The query of calls that know projection and nothing else.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FieldsQuery {
    /// Only these fields, joined by commas.
    pub fields: Option<String>,
}

/// The fields that were asked for; none means all.
#[derive(Debug, Clone)]
pub struct Fields(Option<Vec<String>>);

impl Fields {
    /// Refuses a name that no answer of this kind has.
    pub fn parse(asked: Option<&str>, known: &[&str]) -> Result<Self, Error> {
        let Some(asked) = asked else { return Ok(Self(None)) };
        let names: Vec<String> =
            asked.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(Error::InvalidFields { unknown: unknown.chars().take(64).collect() }),
            None if names.is_empty() => Ok(Self(None)),
            None => Ok(Self(Some(names))),
        }
    }

    /// The thing as JSON, reduced.
    pub fn of<T: Serialize>(&self, thing: &T) -> Value {
        let whole = serde_json::to_value(thing).expect("an answer is plain JSON");
        match (&self.0, whole) {
            (Some(names), Value::Object(mut whole)) => {
                Value::Object(names.iter().filter_map(|name| whole.remove_entry(name)).collect::<Map<_, _>>())
            }
            (_, whole) => whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_fields_asked_for_are_sent_and_an_unknown_one_is_refused() {
        let thing = json!({"id": "a", "name": "b", "tags": []});
        let known = ["id", "name", "tags", "gone"];
        assert_eq!(
            Fields::parse(Some(" tags,id,id, gone"), &known).unwrap().of(&thing),
            json!({"tags": [], "id": "a"})
        );
        assert_eq!(Fields::parse(None, &known).unwrap().of(&thing), thing);
        assert!(
            matches!(Fields::parse(Some("id,nope"), &known), Err(Error::InvalidFields { unknown }) if unknown == "nope")
        );
    }
}
