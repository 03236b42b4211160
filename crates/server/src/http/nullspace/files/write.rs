//! `POST /v1/sandboxes/{id}/files/write`: text or base64, whole or not at all.

use super::{at, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nullspace_api::files::{Encoding, FileInfo, WriteFile};
use nullspace_guest::client;

/// Writes a file; parents are created.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/write", tag = "files", params(("id" = String, Path)), responses((status = 200, body = FileInfo)))]
pub async fn write_file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<WriteFile>,
) -> Result<Json<FileInfo>, Error> {
    let bytes = match body.encoding.unwrap_or(Encoding::Utf8) {
        Encoding::Utf8 => body.content.into_bytes(),
        Encoding::Base64 => STANDARD
            .decode(body.content)
            .map_err(|error| Error::invalid("content", format!("`content` is not base64: {error}")))?,
    };
    let at = at::open(&app, &caller, &id, body.user).await?;
    let path = at.path("path", &body.path)?;
    let user = at.user();
    let file = within(at::file(&path), client::write(at.stream, &path, user.as_deref(), None, &bytes[..])).await?;
    Ok(Json(view::file(file)))
}
