//! `POST /v1/templates/builds/{build_id}/promote`: moves tags to a ready build.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::templates::view;
use axum::extract::State;
use nullspace_api::builds::PromoteBuild;
use nullspace_api::templates::TemplateInfo;

/// Promotes a build.
#[utoipa::path(post, path = "/v1/templates/builds/{build_id}/promote", tag = "builds", params(("build_id" = String, Path)), responses((status = 200, body = TemplateInfo)))]
pub async fn promote_build(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<PromoteBuild>,
) -> Result<Json<TemplateInfo>, Error> {
    let tags: Vec<String> = body.tag.into_iter().chain(body.tags.into_iter().flatten()).collect();
    if tags.is_empty() {
        return Err(Error::invalid("tag", "`tag` is required"));
    }
    let info = app.engine.promote_build(&caller, &id, tags).await?;
    Ok(Json(view::template(&info)))
}
