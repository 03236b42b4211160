//! `DELETE /v1/tenants/{slug}/keys/{key_id}`: the key stops working at once.

use crate::engine::{self, Caller};
use crate::http::App;
use crate::http::extract::Path;
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;

/// Revokes a key.
#[utoipa::path(delete, path = "/v1/tenants/{slug}/keys/{key_id}", tag = "tenants", params(("slug" = String, Path), ("key_id" = String, Path)), responses((status = 204)))]
pub async fn revoke_key(
    State(app): State<App>,
    caller: Caller,
    Path((slug, id)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    // A key of another tenant does not exist under this one.
    let keys = app.engine.list_keys(&caller, Some(&slug)).await?;
    if !keys.iter().any(|key| key.id.as_str() == id) {
        return Err(engine::Error::KeyNotFound { id }.into());
    }
    app.engine.revoke_key(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
