//! `POST /v1/templates/validate`: a bad request is a `200` that says `valid: false`.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::build_request::{BuildRequest, Validation, ValidationError};
use serde_json::Value;

/// Says whether a build request would be accepted.
#[utoipa::path(post, path = "/v1/templates/validate", tag = "builds", request_body = BuildRequest, responses((status = 200, body = Validation)))]
pub async fn validate_build(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Value>,
) -> Result<Json<Validation>, Error> {
    let found = app.engine.validate_build(&caller, &body).await?;
    let errors: Vec<_> = found
        .errors
        .into_iter()
        .map(|error| ValidationError {
            code: error.code.to_owned(),
            message: error.message,
            phase: Some(error.phase.to_owned()),
        })
        .collect();
    Ok(Json(Validation { valid: errors.is_empty(), errors, warnings: found.warnings }))
}
