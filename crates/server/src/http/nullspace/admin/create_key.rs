//! `POST /v1/tenants/{slug}/keys`: the only time a key's text is shown.

use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, OptionalJson, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::http::StatusCode;
use nullspace_api::Secret;
use nullspace_api::admin::{CreateKey, NewKey};

/// Creates a key for a tenant.
#[utoipa::path(post, path = "/v1/tenants/{slug}/keys", tag = "tenants", params(("slug" = String, Path)), request_body = Option<CreateKey>, responses((status = 201, body = NewKey)))]
pub async fn create_key(
    State(app): State<App>,
    caller: Caller,
    Path(slug): Path<String>,
    OptionalJson(body): OptionalJson<CreateKey>,
) -> Result<(StatusCode, Json<NewKey>), Error> {
    let name = body.name.unwrap_or_else(|| "key".into());
    let made = app.engine.create_key(&caller, Some(&slug), &name).await?;
    let key = NewKey { id: made.info.id.to_string(), key: Secret(made.secret), created_at: made.info.created_at };
    Ok((StatusCode::CREATED, Json(key)))
}
