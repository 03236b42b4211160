//! `POST /v1/templates/builds`: starts a build and does not wait for it.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::build_request::BuildRequest;
use nullspace_api::builds::Build;
use serde_json::Value;

/// Starts a build in the background.
#[utoipa::path(post, path = "/v1/templates/builds", tag = "builds", request_body = BuildRequest, responses((status = 202, body = Build)))]
pub async fn start_build(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Build>), Error> {
    let build = app.engine.start_build(&caller, &body).await?;
    Ok((StatusCode::ACCEPTED, Json(view::build(&build))))
}
