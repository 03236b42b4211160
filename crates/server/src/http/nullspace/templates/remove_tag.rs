//! `DELETE /v1/templates/refs/{ref}/tags/{tag}`.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Path;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;

/// Removes a tag; the build it pointed at stays.
#[utoipa::path(delete, path = "/v1/templates/refs/{ref}/tags/{tag}", tag = "templates", params(("ref" = String, Path), ("tag" = String, Path)), responses((status = 204)))]
pub async fn remove_tag(
    State(app): State<App>,
    caller: Caller,
    Path((reference, tag)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    app.engine.remove_tag(&caller, &reference, &tag).await?;
    Ok(StatusCode::NO_CONTENT)
}
