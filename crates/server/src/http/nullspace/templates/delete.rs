//! `DELETE /v1/templates/refs/{ref}`: pools and sandboxes of it live on.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Path;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;

/// Deletes a template.
#[utoipa::path(delete, path = "/v1/templates/refs/{ref}", tag = "templates", params(("ref" = String, Path)), responses((status = 204)))]
pub async fn delete_template(
    State(app): State<App>,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<StatusCode, Error> {
    app.engine.delete_template(&caller, &reference).await?;
    Ok(StatusCode::NO_CONTENT)
}
