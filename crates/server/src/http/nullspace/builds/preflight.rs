//! `POST /v1/templates/blobs/preflight`: which context files have to be uploaded.

use crate::engine::{BlobFile, Caller};
use crate::http::App;
use crate::http::extract::Json;
use crate::http::limits::PREFLIGHT_FILES_MAX;
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::build_request::{EntryType, Preflight, PreflightAnswer, PreflightFile, PreflightResult};

/// Answers once for each file asked about, in the order asked.
#[utoipa::path(post, path = "/v1/templates/blobs/preflight", tag = "builds", responses((status = 200, body = PreflightAnswer)))]
pub async fn preflight_blobs(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Preflight>,
) -> Result<Json<PreflightAnswer>, Error> {
    if body.files.len() > PREFLIGHT_FILES_MAX {
        return Err(Error::invalid("files", format!("`files` has more than {PREFLIGHT_FILES_MAX} entries")));
    }
    let asked = body
        .files
        .iter()
        .enumerate()
        .filter(|(_, file)| file.entry_type == EntryType::File)
        .map(|(index, file)| blob(index, file))
        .collect::<Result<Vec<_>, _>>()?;
    let checks = app.engine.preflight_blobs(&caller, asked).await?;
    let mut checks = checks.into_iter();
    let files = body.files.into_iter().map(|file| {
        let check = if file.entry_type == EntryType::File { checks.next() } else { None };
        PreflightResult {
            missing: check.as_ref().is_some_and(|check| check.missing),
            blob_id: check.map(|check| check.blob_id),
            path: file.path,
            entry_type: file.entry_type,
            mode: file.mode,
        }
    });
    Ok(Json(PreflightAnswer { files: files.collect() }))
}

fn blob(index: usize, file: &PreflightFile) -> Result<BlobFile, Error> {
    let sha256 = file.sha256.clone().filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let sha256 = sha256.ok_or_else(|| {
        let field = format!("files[{index}].sha256");
        Error::invalid(field.clone(), format!("`{field}` is 64 hex digits"))
    })?;
    let size_bytes = file.size_bytes.ok_or_else(|| {
        let field = format!("files[{index}].size_bytes");
        Error::invalid(field.clone(), format!("`{field}` is required"))
    })?;
    Ok(BlobFile {
        path: file.path.clone(),
        sha256: sha256.to_lowercase(),
        size_bytes,
        force_upload: file.force_upload.unwrap_or(false),
    })
}
