//! `GET /v1/templates/refs/{ref}`: one template, by any form of ref.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::fields::{Fields, FieldsQuery};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::templates::TemplateInfo;
use serde_json::Value;

/// Gets a template. The ref is one percent-encoded segment.
#[utoipa::path(get, path = "/v1/templates/refs/{ref}", tag = "templates", params(("ref" = String, Path), FieldsQuery), responses((status = 200, body = TemplateInfo)))]
pub async fn get_template(
    State(app): State<App>,
    caller: Caller,
    Path(reference): Path<String>,
    Query(query): Query<FieldsQuery>,
) -> Result<Json<Value>, Error> {
    let fields = Fields::parse(query.fields.as_deref(), view::FIELDS)?;
    let info = app.engine.get_template(&caller, &reference).await?;
    Ok(Json(fields.of(&view::template(&info))))
}
