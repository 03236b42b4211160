//! `POST /v1/sandboxes/{id}/timeout`: measured from now.

use super::{create, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::sandboxes::{Sandbox, SetTimeout, TimeoutAction};

/// Sets how much longer a sandbox lives.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/timeout", tag = "sandboxes", params(("id" = String, Path)), responses((status = 200, body = Sandbox)))]
pub async fn set_timeout(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<SetTimeout>,
) -> Result<Json<Sandbox>, Error> {
    if body.timeout_action == Some(TimeoutAction::Hibernate) {
        return Err(Error::not_implemented("timeout_action"));
    }
    let sandbox = app.engine.set_timeout(&caller, &id, create::timeout(body.timeout_ms)?).await?;
    Ok(Json(view::sandbox(&sandbox)))
}
