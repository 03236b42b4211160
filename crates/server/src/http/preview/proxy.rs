//! Passes one request through the agent's tunnel, streaming both ways.

use super::address::Place;
use super::edge_error::EdgeError;
use super::headers;
use crate::http::App;
use crate::http::limits::{HEAD_MAX, HEADERS_MAX};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, Version};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use nullspace_guest::client;
use std::time::Duration;
use tracing::debug;

/// How long a server in a machine may think before its answer begins: what proxies usually allow.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// Connecting is a round trip to the agent.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Sends the request to the place and gives its answer. The request's URI is the machine's own.
pub async fn forward(app: &App, place: &Place, mut request: Request) -> Result<Response, EdgeError> {
    let guest = app.engine.open_guest_port(place.sandbox.as_str()).await.map_err(EdgeError::Sandbox)?;
    let tunnel = tokio::time::timeout(CONNECT_WITHIN, client::tunnel(guest.stream, place.port))
        .await
        .map_err(|_| EdgeError::Silent)?
        .map_err(EdgeError::Refused)?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(tunnel))
        .await
        .map_err(EdgeError::Broken)?;
    // Ends with the answer's body, or with the upgraded connection.
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            debug!(%error, "a connection into a machine ended early");
        }
    });

    let upgrade = headers::websocket(request.headers()).then(|| hyper::upgrade::on(&mut request));
    headers::inward(request.headers_mut(), place, app.preview.settings.tls);
    *request.version_mut() = Version::HTTP_11;
    let answer = tokio::time::timeout(ANSWER_WITHIN, sender.send_request(request)).await;
    let mut answer = answer.map_err(|_| EdgeError::Silent)?.map_err(EdgeError::Broken)?;

    let upgraded = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if upgraded {
        let inner = hyper::upgrade::on(&mut answer);
        match upgrade {
            Some(outer) => drop(tokio::spawn(join(outer, inner))),
            // A machine that switches protocols unasked is not speaking HTTP.
            None => return Err(EdgeError::Silent),
        }
    }
    headers::outward(answer.headers_mut(), place, upgraded);
    Ok(answer.map(Body::new))
}

/// Copies bytes between the two sides of a WebSocket until both have ended.
async fn join(outer: OnUpgrade, inner: OnUpgrade) {
    let (outer, inner) = match tokio::try_join!(outer, inner) {
        Ok(sides) => sides,
        Err(error) => {
            debug!(%error, "a WebSocket could not be upgraded");
            return;
        }
    };
    let (mut outer, mut inner) = (TokioIo::new(outer), TokioIo::new(inner));
    if let Err(error) = tokio::io::copy_bidirectional(&mut outer, &mut inner).await {
        debug!(%error, "a WebSocket through the edge ended early");
    }
}
