//! `GET /v1/sandboxes`: live ones unless states are named.

use super::view;
use crate::engine::{Caller, SandboxFilter};
use crate::http::App;
use crate::http::extract::{Json, Query};
use crate::http::fields::Fields;
use crate::http::nullspace::Error;
use crate::records::SandboxStatus;
use axum::extract::State;
use nullspace_api::sandboxes::{SandboxList, SandboxListQuery};
use serde_json::{Value, json};

/// Lists sandboxes, newest first.
#[utoipa::path(get, path = "/v1/sandboxes", tag = "sandboxes", params(SandboxListQuery), responses((status = 200, body = SandboxList)))]
pub async fn list_sandboxes(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SandboxListQuery>,
) -> Result<Json<Value>, Error> {
    let fields = Fields::parse(query.fields.as_deref(), view::FIELDS)?;
    let page = app.engine.list_sandboxes(&caller, filter(query)?).await?;
    let items: Vec<Value> = page.items.iter().map(|sandbox| fields.of(&view::sandbox(sandbox))).collect();
    let mut list = json!({ "items": items, "has_next": page.next_token.is_some() });
    if let Some(token) = page.next_token {
        list["next_token"] = token.into();
    }
    Ok(Json(list))
}

fn filter(query: SandboxListQuery) -> Result<SandboxFilter, Error> {
    if query.limit.is_some_and(|limit| !(1..=1000).contains(&limit)) {
        return Err(Error::invalid("limit", "`limit` is 1 to 1000"));
    }
    let metadata = match &query.metadata {
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Error::invalid("metadata", format!("`metadata` is a JSON object as text: {error}")))?,
        None => nullspace_api::Object::new(),
    };
    Ok(SandboxFilter {
        statuses: query.state.as_deref().map(statuses).transpose()?.unwrap_or_default(),
        template: query.template,
        metadata,
        limit: query.limit,
        next_token: query.next_token,
    })
}

fn statuses(joined: &str) -> Result<Vec<SandboxStatus>, Error> {
    let names = joined.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            SandboxStatus::ALL.into_iter().find(|status| status.as_str() == name).ok_or_else(|| {
                Error::invalid("state", "`state` is `creating`, `running`, `paused`, `destroyed` or `error`")
            })
        })
        .collect()
}
