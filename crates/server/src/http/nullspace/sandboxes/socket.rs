//! `WS /v1/sandboxes/{id}/ws?channel=exec`: output as it is written (spec sandboxes §5).
//!
//! Commands outlive the socket: a client that loses it reads the rest from the logs.

use super::guest;
use super::socket_command::{self, Out};
use crate::engine::Caller;
use crate::http::App;
use crate::http::extract::{Path, Query};
use crate::http::limits::{SOCKET_COMMANDS_MAX, SOCKET_QUEUE};
use crate::http::nullspace::Error;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use nullspace_api::ErrorCode;
use nullspace_api::frames::{ClientFrame, FRAME_MAX, ServerFrame};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use utoipa::IntoParams;

/// Which protocol the socket speaks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChannelQuery {
    /// `exec`. Others are not implemented yet.
    pub channel: Option<String>,
}

/// Opens the exec socket of a sandbox.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/ws", tag = "commands", params(("id" = String, Path)), responses((status = 101)))]
pub async fn socket(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ChannelQuery>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    if query.channel.as_deref() != Some("exec") {
        return Err(Error::not_implemented("channel"));
    }
    let upgrade = upgrade.map_err(|rejection| Error::invalid("upgrade", rejection.body_text()))?;
    // Before the upgrade, so that an unknown sandbox is a 404 and not a frame.
    drop(guest::open(&app, &caller, &id).await?);
    Ok(upgrade.max_message_size(FRAME_MAX).on_upgrade(move |socket| talk(app, caller, id, socket)))
}

async fn talk(app: App, caller: Caller, sandbox: String, mut socket: WebSocket) {
    let (out, mut frames) = mpsc::channel::<ServerFrame>(SOCKET_QUEUE);
    let mut commands = JoinSet::new();
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { break };
                let text = serde_json::to_string(&frame).expect("a frame is plain JSON");
                if socket.send(Message::Text(text.into())).await.is_err() {
                    break;
                }
            }
            Some(_) = commands.join_next() => {}
            message = socket.recv() => {
                match message {
                    Some(Ok(Message::Text(text))) => {
                        let out = Out::new(out.clone());
                        accept(&app, &caller, &sandbox, text.as_str(), out, &mut commands);
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => {}
                }
            }
        }
    }
    // Dropping the set ends the watching, not the commands.
}

fn accept(app: &App, caller: &Caller, sandbox: &str, text: &str, out: Out, commands: &mut JoinSet<()>) {
    let frame: ClientFrame = match serde_json::from_str(text) {
        Ok(frame) => frame,
        Err(error) => {
            commands.spawn(async move {
                out.error(None, ErrorCode::InvalidRequest, format!("the frame is not understood: {error}")).await;
            });
            return;
        }
    };
    if commands.len() >= SOCKET_COMMANDS_MAX {
        commands.spawn(async move {
            let message = format!("this socket watches {SOCKET_COMMANDS_MAX} commands already");
            out.error(None, ErrorCode::CapacityExceeded, message).await;
        });
        return;
    }
    commands.spawn(socket_command::run(app.clone(), caller.clone(), sandbox.to_owned(), frame, out));
}
