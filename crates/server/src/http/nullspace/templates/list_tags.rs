//! `GET /v1/templates/refs/{ref}/tags`.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::templates::TagInfo;

/// Lists a template's tags.
#[utoipa::path(get, path = "/v1/templates/refs/{ref}/tags", tag = "templates", params(("ref" = String, Path)), responses((status = 200, body = Vec<TagInfo>)))]
pub async fn list_tags(
    State(app): State<App>,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<Json<Vec<TagInfo>>, Error> {
    let tags = app.engine.list_tags(&caller, &reference).await?;
    Ok(Json(tags.iter().map(view::tag).collect()))
}
