//! `GET /v1/templates/builds/{build_id}/logs`: replay, then live, closed after the terminal entry.

use super::view;
use crate::engine::{BuildLog, Caller};
use crate::http::App;
use crate::http::extract::{Path, Query};
use crate::http::nullspace::Error;
use crate::http::sse;
use axum::extract::State;
use axum::response::Response;
use futures::stream;
use nullspace_api::builds::{LogEntry, LogQuery};

/// Follows a build's log as server-sent events.
#[utoipa::path(get, path = "/v1/templates/builds/{build_id}/logs", tag = "builds", params(("build_id" = String, Path), LogQuery), responses((status = 200, body = LogEntry, content_type = "text/event-stream")))]
pub async fn build_logs(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Error> {
    let offset = match (query.offset, query.cursor) {
        (Some(_), Some(_)) => return Err(Error::invalid("cursor", "`cursor` and `offset` exclude each other")),
        // A cursor is the last entry seen.
        (None, Some(cursor)) => cursor.saturating_add(1),
        (offset, None) => offset.unwrap_or(0),
    };
    let log = app.engine.follow_build(&caller, &id, offset, query.follow.unwrap_or(false)).await?;
    Ok(stream(log))
}

/// A log as an event stream. A log that fails half-way ends the stream: the client reconnects by
/// offset, and no entry is invented.
pub fn stream(log: BuildLog) -> Response {
    sse::response(stream::unfold(log, |mut log| async move {
        match log.next().await {
            Ok(entry) => entry.map(|entry| (view::entry(&entry), log)),
            Err(error) => {
                tracing::error!(%error, "a build log could not be read on");
                None
            }
        }
    }))
}
