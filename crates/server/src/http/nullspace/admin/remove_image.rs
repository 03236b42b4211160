//! `DELETE /v1/images/{name}`: the name is one percent-encoded segment.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Path;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;

/// Removes an image from the local store.
#[utoipa::path(delete, path = "/v1/images/{name}", tag = "images", params(("name" = String, Path)), responses((status = 204)))]
pub async fn remove_image(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Error> {
    app.engine.remove_image(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
