//! `GET /v1/images`.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::admin::ImageList;

/// Lists the images in the local store.
#[utoipa::path(get, path = "/v1/images", tag = "images", responses((status = 200, body = ImageList)))]
pub async fn list_images(State(app): State<App>, caller: Caller) -> Result<Json<ImageList>, Error> {
    let images = app.engine.list_images(&caller).await?;
    Ok(Json(ImageList { items: images.into_iter().map(view::image).collect() }))
}
