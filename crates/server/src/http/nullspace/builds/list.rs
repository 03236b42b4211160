//! `GET /v1/templates/refs/{ref}/builds`, and `GET /v1/templates/{template_id}/builds` for raw ids.

use super::{request, view};
use crate::engine::{BuildFilter, Caller};
use crate::http::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::nullspace::Error;
use crate::records;
use axum::extract::State;
use nullspace_api::builds::{BuildList, BuildListQuery, BuildStatus, SourceType};

/// Lists a template's builds, newest first.
#[utoipa::path(get, path = "/v1/templates/refs/{ref}/builds", tag = "builds", params(("ref" = String, Path), BuildListQuery), responses((status = 200, body = BuildList)))]
pub async fn list_builds(
    State(app): State<App>,
    caller: Caller,
    Path(reference): Path<String>,
    Query(query): Query<BuildListQuery>,
) -> Result<Json<BuildList>, Error> {
    let page = app.engine.list_builds(&caller, &reference, filter(query)?).await?;
    Ok(Json(BuildList { builds: page.builds.iter().map(view::build).collect(), next_cursor: page.next_cursor }))
}

/// Lists the builds of a template given by its id.
#[utoipa::path(get, path = "/v1/templates/{template_id}/builds", tag = "builds", params(("template_id" = String, Path), BuildListQuery), responses((status = 200, body = BuildList)))]
pub async fn list_builds_by_id(
    app: State<App>,
    caller: Caller,
    id: Path<String>,
    query: Query<BuildListQuery>,
) -> Result<Json<BuildList>, Error> {
    list_builds(app, caller, id, query).await
}

fn filter(query: BuildListQuery) -> Result<BuildFilter, Error> {
    if query.limit.is_some_and(|limit| !(1..=100).contains(&limit)) {
        return Err(Error::invalid("limit", "`limit` is 1 to 100"));
    }
    Ok(BuildFilter {
        status: query.status.map(|status| match status {
            BuildStatus::Waiting => records::BuildStatus::Waiting,
            BuildStatus::Building => records::BuildStatus::Building,
            BuildStatus::Ready => records::BuildStatus::Ready,
            BuildStatus::Error => records::BuildStatus::Error,
            BuildStatus::Cancelled => records::BuildStatus::Cancelled,
        }),
        backend: query.backend.map(|backend| request::backend_name(backend).to_owned()),
        source_type: query.source_type.map(|source| {
            match source {
                SourceType::Declarative => "declarative",
                SourceType::Dockerfile => "dockerfile",
                SourceType::OciImport => "oci_import",
                SourceType::TemplateBase => "template_base",
            }
            .to_owned()
        }),
        limit: query.limit,
        cursor: query.cursor,
    })
}
