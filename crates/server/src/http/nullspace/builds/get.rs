//! `GET /v1/templates/builds/{build_id}`: state, and the log entries not seen yet.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::builds::BuildSnapshot;
use serde::Deserialize;
use utoipa::IntoParams;

/// From which entry on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OffsetQuery {
    pub offset: Option<u64>,
}

/// Gets a build. An answer with a terminal status holds every remaining entry.
#[utoipa::path(get, path = "/v1/templates/builds/{build_id}", tag = "builds", params(("build_id" = String, Path)), responses((status = 200, body = BuildSnapshot)))]
pub async fn get_build(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<OffsetQuery>,
) -> Result<Json<BuildSnapshot>, Error> {
    let snapshot = app.engine.get_build(&caller, &id, query.offset.unwrap_or(0)).await?;
    Ok(Json(view::snapshot(&snapshot)))
}
