//! `POST /v1/templates/validate`: a bad request is a `200` that says `valid: false`.

use super::request;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::build_request::{BuildRequest, Validation, ValidationError};

/// Says whether a build request would be accepted.
#[utoipa::path(post, path = "/v1/templates/validate", tag = "builds", responses((status = 200, body = Validation)))]
pub async fn validate_build(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<BuildRequest>,
) -> Result<Json<Validation>, Error> {
    let refused = |error: Error| {
        let (_, body) = error.describe();
        let error = ValidationError { code: body.code.as_str().into(), message: body.error, phase: None };
        Validation { valid: false, errors: vec![error], warnings: Vec::new() }
    };
    let request = match request::parse(body) {
        Ok(request) => request,
        Err(error) => return Ok(Json(refused(error))),
    };
    let found = app.engine.validate_build(&caller, request).await?;
    let errors: Vec<_> = found
        .errors
        .into_iter()
        .map(|error| ValidationError { code: error.code, message: error.message, phase: None })
        .collect();
    Ok(Json(Validation { valid: errors.is_empty(), errors, warnings: found.warnings }))
}
