//! `DELETE /v1/sandboxes/{id}`: the end of it and its machine.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::sandboxes::Killed;

/// Ends a sandbox. One that has ended is answered as it is.
#[utoipa::path(delete, path = "/v1/sandboxes/{id}", tag = "sandboxes", params(("id" = String, Path)), responses((status = 200, body = Killed)))]
pub async fn kill_sandbox(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Killed>, Error> {
    let sandbox = app.engine.kill_sandbox(&caller, &id).await?;
    Ok(Json(Killed { id: sandbox.id.to_string(), status: view::status(sandbox.status) }))
}
