//! `GET /v1/sandboxes/{id}`: never wakes or changes it.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::fields::{Fields, FieldsQuery};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::sandboxes::Sandbox;
use serde_json::Value;

/// Gets a sandbox, also one that has ended.
#[utoipa::path(get, path = "/v1/sandboxes/{id}", tag = "sandboxes", params(("id" = String, Path), FieldsQuery), responses((status = 200, body = Sandbox)))]
pub async fn get_sandbox(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<FieldsQuery>,
) -> Result<Json<Value>, Error> {
    let fields = Fields::parse(query.fields.as_deref(), view::FIELDS)?;
    let sandbox = app.engine.get_sandbox(&caller, &id).await?;
    Ok(Json(fields.of(&view::sandbox(&sandbox))))
}
