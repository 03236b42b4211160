//! `DELETE /v1/sandboxes/{id}/preview-urls/{grant_id}`: the URL stops working at once.

use super::{port, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::Timestamp;
use nullspace_api::preview::RevokedGrant;

/// Revokes a preview grant.
#[utoipa::path(delete, path = "/v1/sandboxes/{id}/preview-urls/{grant_id}", tag = "preview", params(("id" = String, Path), ("grant_id" = String, Path)), responses((status = 200, body = RevokedGrant)))]
pub async fn revoke_preview_url(
    State(app): State<App>,
    caller: Caller,
    Path((id, grant)): Path<(String, String)>,
) -> Result<Json<RevokedGrant>, Error> {
    let sandbox = port::sandbox(&app, &caller, &id).await?;
    let now = Timestamp::now();
    match app.preview.revoke(&sandbox, &grant, now).map_err(port::failed)? {
        Some(revoked) => Ok(Json(RevokedGrant { success: true, grant: view::grant(&revoked, now) })),
        None => Err(Error::GrantNotFound { id: grant.chars().take(128).collect() }),
    }
}
