//! `POST /v1/sandboxes/{id}/host`: where a port can be reached.

use super::port;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Json, Path};
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::Timestamp;
use nullspace_api::preview::{HostInfo, HostRequest};

/// Says where a port can be reached, with URLs that carry their permission.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/host", tag = "preview", params(("id" = String, Path)), responses((status = 200, body = HostInfo)))]
pub async fn sandbox_host(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<HostRequest>,
) -> Result<Json<HostInfo>, Error> {
    let at = port::parse(body.port)?;
    let sandbox = port::sandbox(&app, &caller, &id).await?;
    let signed = app.preview.sign_or_reuse(port::grant_id(), &sandbox, at, Timestamp::now()).map_err(port::failed)?;
    Ok(Json(HostInfo {
        host: signed.host,
        url: Some(signed.url),
        websocket_url: Some(signed.websocket_url),
        access_token_expires_at: Some(signed.grant.expires_at),
        access_token_transport: Some("query".into()),
    }))
}
