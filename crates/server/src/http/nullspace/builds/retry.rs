//! `POST /v1/templates/builds/{build_id}/retry`: the same request once more.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, OptionalJson, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::Object;
use nullspace_api::build_request::RetryBuild;
use nullspace_api::builds::Build;
use serde_json::Value;

/// Retries a build. Credentials are not kept, so they have to come again.
#[utoipa::path(post, path = "/v1/templates/builds/{build_id}/retry", tag = "builds", params(("build_id" = String, Path)), request_body = Option<RetryBuild>, responses((status = 202, body = Build)))]
pub async fn retry_build(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    OptionalJson(body): OptionalJson<Object>,
) -> Result<(StatusCode, Json<Build>), Error> {
    let build = app.engine.retry_build(&caller, &id, &Value::Object(body)).await?;
    Ok((StatusCode::ACCEPTED, Json(view::build(&build))))
}
