//! `GET /v1/templates`: builtins and the caller's own.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Query};
use crate::http::fields::{Fields, FieldsQuery};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::templates::TemplateInfo;
use serde_json::Value;

/// Lists templates.
#[utoipa::path(get, path = "/v1/templates", tag = "templates", params(FieldsQuery), responses((status = 200, body = Vec<TemplateInfo>)))]
pub async fn list_templates(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FieldsQuery>,
) -> Result<Json<Vec<Value>>, Error> {
    let fields = Fields::parse(query.fields.as_deref(), view::FIELDS)?;
    let templates = app.engine.list_templates(&caller).await?;
    Ok(Json(templates.iter().map(|info| fields.of(&view::template(info))).collect()))
}
