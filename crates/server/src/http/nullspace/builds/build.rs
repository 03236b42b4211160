//! `POST /v1/templates/build`: builds and streams the log. The build lives on if the client goes.

use super::logs;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::response::Response;
use nullspace_api::build_request::BuildRequest;
use nullspace_api::builds::LogEntry;
use serde_json::Value;

/// Builds a template, answering with its log as server-sent events.
#[utoipa::path(post, path = "/v1/templates/build", tag = "builds", request_body = BuildRequest, responses((status = 200, body = LogEntry, content_type = "text/event-stream")))]
pub async fn build_template(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let build = app.engine.start_build(&caller, &body).await?;
    let log = app.engine.follow_build(&caller, build.id.as_str(), 0, true).await?;
    Ok(logs::stream(log))
}
