//! `POST /v1/templates/refs/{ref}/tags`: moving a tag is what a tracking pool follows.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::templates::{AssignTags, TemplateInfo};

/// Points every tag at the build that the ref resolves to.
#[utoipa::path(post, path = "/v1/templates/refs/{ref}/tags", tag = "templates", params(("ref" = String, Path)), responses((status = 200, body = TemplateInfo)))]
pub async fn assign_tags(
    State(app): State<App>,
    caller: Caller,
    Path(reference): Path<String>,
    Json(body): Json<AssignTags>,
) -> Result<Json<TemplateInfo>, Error> {
    let info = app.engine.assign_tags(&caller, &reference, body.tags).await?;
    Ok(Json(view::template(&info)))
}
