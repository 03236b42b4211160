//! `GET /v1/sandboxes/{id}/files`.

use super::{at, view};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::nullspace::Error;
use crate::http::nullspace::sandboxes::guest::within;
use axum::extract::State;
use nullspace_api::files::{FileInfo, ListQuery};
use nullspace_guest::client;

/// Directories below directories are listed this deep at most: the agent bounds the entries as well.
const DEPTH_MAX: u32 = 64;

/// Lists a directory.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/files", tag = "files", params(("id" = String, Path), ListQuery), responses((status = 200, body = Vec<FileInfo>)))]
pub async fn list_files(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<FileInfo>>, Error> {
    let depth = query.depth.unwrap_or(1);
    if !(1..=DEPTH_MAX).contains(&depth) {
        return Err(Error::invalid("depth", format!("`depth` is 1 to {DEPTH_MAX}")));
    }
    let at = at::open(&app, &caller, &id, query.user).await?;
    let path = at.path("path", query.path.as_deref().unwrap_or("/"))?;
    let user = at.user();
    let listing = client::list(at.stream, &path, depth, user.as_deref());
    let (files, _) = within(at::file(&path), listing).await?;
    Ok(Json(files.into_iter().map(view::file).collect()))
}
