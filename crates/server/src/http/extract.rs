//! Our own extractors: what axum's answer with plain text, these answer with the error shape, naming
//! the field.

use super::app::App;
use super::nullspace::Error;
use crate::engine::Caller;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A JSON body, in or out. The content type of a request does not matter; its content does.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let bytes = read(request, app).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let bytes = serde_json::to_vec(&self.0).expect("an answer is plain JSON");
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
    }
}

/// A JSON body that may be missing altogether, which means its default.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<App> for OptionalJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let bytes = read(request, app).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        parse(&bytes).map(Self)
    }
}

async fn read(request: Request, app: &App) -> Result<Bytes, Error> {
    Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { field: "body".into() },
        _ => Error::invalid("body", "the body could not be read to its end"),
    })
}

/// Parses JSON, naming the field that is wrong.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // Every body is an object; serde would also take a struct's fields as a list.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|first| *first != b'{') {
        return Err(Error::invalid("body", "the body is not a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let source = error.into_inner();
        if source.is_data() { wrong_field(&path, &source.to_string()) } else { not_json(&source) }
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Error {
    Error::invalid("body", format!("the body is not valid JSON: {error}"))
}

fn wrong_field(path: &str, problem: &str) -> Error {
    // Where it is in the text helps nobody; which field it is does.
    let problem = problem.split(" at line ").next().unwrap_or(problem);
    let parent = if path == "." || path == "?" { "" } else { path };
    let name_after = |start| problem.strip_prefix(start).and_then(|rest: &str| rest.split('`').next());
    let missing = name_after("missing field `");
    let field = match (missing.or(name_after("duplicate field `")), parent) {
        (Some(name), "") => name.to_owned(),
        (Some(name), parent) => format!("{parent}.{name}"),
        (None, "") => "body".to_owned(),
        (None, parent) => parent.to_owned(),
    };
    let message = match missing {
        Some(_) => format!("`{field}` is required"),
        None => format!("`{field}`: {problem}"),
    };
    Error::invalid(field, message)
}

/// The query. A key may be repeated where the type has a list.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or("");
        let deserializer = serde_html_form::Deserializer::from_bytes(query.as_bytes());
        serde_path_to_error::deserialize(deserializer)
            .map(Self)
            .map_err(|error| wrong_field(&error.path().to_string(), &error.inner().to_string()))
    }
}

/// The variable segments of the path, each decoded by itself: `team%2Fapp` is one segment.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        axum::extract::Path::from_request_parts(parts, app)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| Error::invalid("path", rejection.body_text()))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let bearer = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or("", |(_, key)| key.trim());
        Ok(app.engine.authenticate(bearer).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nullspace_api::commands::Exec;
    use nullspace_api::warm_pools::CreateWarmPool;

    fn field<T: DeserializeOwned>(json: &str) -> String {
        match parse::<T>(json.as_bytes()) {
            Err(Error::Invalid { field, .. }) => field,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{json} was accepted"),
        }
    }

    #[test]
    fn a_bad_body_names_its_field() {
        assert_eq!(field::<CreateWarmPool>(r#"{"min_ready":-1}"#), "min_ready");
        assert_eq!(field::<CreateWarmPool>(r#"{"resources":{"vcpus":"two"}}"#), "resources.vcpus");
        assert_eq!(field::<CreateWarmPool>(r#"{"checkout_policy":"always"}"#), "checkout_policy");
        assert_eq!(field::<CreateWarmPool>(r#"{"labels":{"a":1}}"#), "labels.a");
        assert_eq!(field::<CreateWarmPool>("{"), "body");
        assert_eq!(field::<CreateWarmPool>("[]"), "body");
        assert_eq!(field::<CreateWarmPool>("[1]"), "body");
        assert_eq!(field::<CreateWarmPool>(""), "body");
        assert_eq!(field::<CreateWarmPool>("{} x"), "body");
        assert_eq!(field::<Exec>("{}"), "command");
        assert_eq!(field::<Exec>(r#"{"command":"a","command":"b"}"#), "command");
    }

    #[test]
    fn an_explicit_null_is_the_same_as_nothing_and_unknown_fields_do_not_matter() {
        let with = parse::<CreateWarmPool>(br#"{"name":null,"resources":{"disk_mb":null},"what":{}}"#).unwrap();
        let without = parse::<CreateWarmPool>(br#"{"resources":{}}"#).unwrap();
        assert_eq!(with, without);
    }
}
