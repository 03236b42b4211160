//! `GET /v1/nodes`: the hosts that run machines.

use super::view;
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::Json;
use crate::http::nullspace::Error;
use axum::extract::State;
use nullspace_api::admin::NodeList;

/// Lists hosts.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", responses((status = 200, body = NodeList)))]
pub async fn list_nodes(State(app): State<App>, caller: Caller) -> Result<Json<NodeList>, Error> {
    let nodes = app.engine.node_status(&caller).await?;
    Ok(Json(NodeList { items: nodes.into_iter().map(view::node).collect() }))
}
