//! `POST /v1/sandboxes/{id}/files/read`: a file as text or base64. Large ones have the raw route.

use super::at;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::limits::READ_TEXT_MAX;
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nullspace_api::files::{Encoding, FileContent, ReadFile};
use nullspace_guest::client;
use tokio::io::AsyncReadExt;

/// Reads a file.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/read", tag = "files", params(("id" = String, Path)), responses((status = 200, body = FileContent)))]
pub async fn read_file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<ReadFile>,
) -> Result<Json<FileContent>, Error> {
    let at = at::open(&app, &caller, &id, body.user.clone()).await?;
    let path = at.path("path", &body.path)?;
    let user = at.user();
    let bytes = within(at::file(&path), async {
        let (_, download) = client::read(at.stream, &path, user.as_deref()).await?;
        let mut bytes = Vec::new();
        // One byte more than allowed tells a file that is too long, whatever size it claims.
        download.take(READ_TEXT_MAX + 1).read_to_end(&mut bytes).await.map_err(client::Error::Source)?;
        Ok(bytes)
    })
    .await?;
    if bytes.len() as u64 > READ_TEXT_MAX {
        return Err(Error::TooLarge { field: "path".into() });
    }
    let size = bytes.len() as u64;
    let encoding = body.encoding.unwrap_or(Encoding::Utf8);
    let content = match encoding {
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Utf8 => String::from_utf8(bytes)
            .map_err(|_| Error::invalid("encoding", "the file is not UTF-8 text: read it as `base64` or raw"))?,
    };
    Ok(Json(FileContent { content, encoding, size }))
}
