//! `POST /v1/templates/builds/{build_id}/retry`: the same request once more.

use super::{request, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, OptionalJson, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::build_request::RetryBuild;
use nullspace_api::builds::Build;

/// Retries a build. Credentials are not kept, so they have to come again.
#[utoipa::path(post, path = "/v1/templates/builds/{build_id}/retry", tag = "builds", params(("build_id" = String, Path)), request_body = Option<RetryBuild>, responses((status = 202, body = Build)))]
pub async fn retry_build(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    OptionalJson(body): OptionalJson<RetryBuild>,
) -> Result<(StatusCode, Json<Build>), Error> {
    if body.registry_auth.is_some_and(|logins| !logins.is_empty()) {
        return Err(Error::not_implemented("registry_auth"));
    }
    if body.build_secrets.is_some_and(|secrets| !secrets.is_empty()) {
        return Err(Error::not_implemented("build_secrets"));
    }
    let auth = body.base_image_auth.map(request::auth).transpose()?;
    let build = app.engine.retry_build(&caller, &id, body.tags, auth).await?;
    Ok((StatusCode::ACCEPTED, Json(view::build(&build))))
}
