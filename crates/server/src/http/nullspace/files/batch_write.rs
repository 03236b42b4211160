//! `POST /v1/sandboxes/{id}/files/batch-write`: a manifest and its files, as multipart.

use super::{at, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{self, Json, Path};
use crate::http::limits::BATCH_FILES_MAX;
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::http::StatusCode;
use nullspace_api::files::{BatchAnswer, BatchFile, BatchManifest, BatchResult, FileInfo};
use nullspace_guest::client;
use std::collections::BTreeMap;

/// Writes several files; each succeeds or fails by itself.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/batch-write", tag = "files", params(("id" = String, Path)), request_body(content = BatchManifest, content_type = "multipart/form-data"), responses((status = 200, body = BatchAnswer)))]
pub async fn batch_write(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    parts: Result<Multipart, MultipartRejection>,
) -> Result<Json<BatchAnswer>, Error> {
    let parts = parts.map_err(|_| Error::invalid("body", "the body is not `multipart/form-data`"))?;
    let (manifest, contents) = collect(parts).await?;
    if manifest.files.len() > BATCH_FILES_MAX {
        return Err(Error::invalid("files", format!("`files` has more than {BATCH_FILES_MAX} entries")));
    }
    let mut results = Vec::with_capacity(manifest.files.len());
    for BatchFile { path, field } in manifest.files {
        let written = match contents.get(&field) {
            Some(content) => write(&app, &caller, &id, manifest.user.clone(), &path, content).await,
            None => Err(Error::invalid(field.clone(), format!("there is no part `{field}`"))),
        };
        results.push(match written {
            Ok(info) => BatchResult::Success { path, info },
            Err(error @ Error::Engine(_)) => return Err(error),
            Err(error) => BatchResult::Error { path, error: error.to_string() },
        });
    }
    Ok(Json(BatchAnswer { results }))
}

async fn collect(mut parts: Multipart) -> Result<(BatchManifest, BTreeMap<String, Bytes>), Error> {
    let (mut manifest, mut contents) = (None, BTreeMap::new());
    while let Some(part) = parts.next_field().await.map_err(|error| broken(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|error| broken(&error))?;
        if name == "manifest" {
            manifest = Some(extract::parse(&bytes)?);
        } else {
            contents.insert(name, bytes);
        }
    }
    let manifest = manifest.ok_or_else(|| Error::invalid("manifest", "there is no part `manifest`"))?;
    Ok((manifest, contents))
}

fn broken(error: &MultipartError) -> Error {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { field: "body".into() },
        _ => Error::invalid("body", format!("the multipart body is broken: {error}")),
    }
}

async fn write(
    app: &App,
    caller: &Caller,
    sandbox: &str,
    user: Option<String>,
    path: &str,
    content: &[u8],
) -> Result<FileInfo, Error> {
    let at = at::open(app, caller, sandbox, user).await?;
    let path = at.path("path", path)?;
    let user = at.user();
    let file = within(at::file(&path), client::write(at.stream, &path, user.as_deref(), None, content)).await?;
    Ok(view::file(file))
}
