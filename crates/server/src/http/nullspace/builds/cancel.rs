//! `POST /v1/templates/builds/{build_id}/cancel`.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, OptionalJson, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::builds::{BuildSnapshot, CancelBuild};

/// Cancels a build; does nothing to one that has ended.
#[utoipa::path(post, path = "/v1/templates/builds/{build_id}/cancel", tag = "builds", params(("build_id" = String, Path)), request_body = Option<CancelBuild>, responses((status = 200, body = BuildSnapshot)))]
pub async fn cancel_build(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    OptionalJson(body): OptionalJson<CancelBuild>,
) -> Result<Json<BuildSnapshot>, Error> {
    let snapshot = app.engine.cancel_build(&caller, &id, body.reason).await?;
    Ok(Json(view::snapshot(&snapshot)))
}
