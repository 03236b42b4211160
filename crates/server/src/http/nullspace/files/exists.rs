//! `POST /v1/sandboxes/{id}/files/exists`.

use super::at;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use nullspace_api::files::{Exists, PathRequest};
use nullspace_guest::client;
use nullspace_guest::protocol::FailureCode;

/// Says whether something is at a path.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/exists", tag = "files", params(("id" = String, Path)), responses((status = 200, body = Exists)))]
pub async fn file_exists(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<PathRequest>,
) -> Result<Json<Exists>, Error> {
    let at = at::open(&app, &caller, &id, body.user).await?;
    let path = at.path("path", &body.path)?;
    let user = at.user();
    match within(at::file(&path), client::stat(at.stream, &path, user.as_deref())).await {
        Ok(_) => Ok(Json(Exists { exists: true })),
        // A path below something that is no directory is not there either.
        Err(Error::Guest { source, .. })
            if source
                .failure()
                .is_some_and(|failure| matches!(failure.code, FailureCode::NotFound | FailureCode::NotDirectory)) =>
        {
            Ok(Json(Exists { exists: false }))
        }
        Err(error) => Err(error),
    }
}
