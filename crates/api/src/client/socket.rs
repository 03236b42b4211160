//! The exec socket: a command's output as it is written.

use super::transport::segment;
use super::{Client, Error};
use crate::frames::{ClientFrame, ServerFrame};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// An open exec socket.
#[derive(Debug)]
pub struct ExecSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// Opens the exec socket of a sandbox.
    pub async fn exec_socket(&self, sandbox: &str) -> Result<ExecSocket, Error> {
        let base = match self.base.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => self.base.clone(),
        };
        let url = format!("{base}/v1/sandboxes/{}/ws?channel=exec", segment(sandbox));
        let mut request = url.into_client_request().map_err(failed)?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.key.expose()))
            .map_err(|source| failed(SocketError::HttpFormat(source.into())))?;
        request.headers_mut().insert("authorization", bearer);
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(ExecSocket { stream }),
            Err(SocketError::Http(response)) => {
                let status = response.status().as_u16();
                let body = response.body().as_deref().and_then(|body| serde_json::from_slice(body).ok());
                Err(match body {
                    Some(body) => Error::Api { status, body },
                    None => Error::Unexplained { call: "the exec socket".into(), status },
                })
            }
            Err(source) => Err(failed(source)),
        }
    }
}

impl ExecSocket {
    pub async fn send(&mut self, frame: &ClientFrame) -> Result<(), Error> {
        let text = serde_json::to_string(frame).expect("a frame is plain JSON");
        self.stream.send(Message::text(text)).await.map_err(failed)
    }

    /// The next frame. A socket that closes is an error: `exec_exit` comes before that.
    pub async fn next(&mut self) -> Result<ServerFrame, Error> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(|source| Error::Frame { source });
                }
                Some(Ok(Message::Close(_))) | None => return Err(Error::SocketClosed),
                Some(Ok(_)) => {}
                Some(Err(source)) => return Err(failed(source)),
            }
        }
    }
}

fn failed(source: SocketError) -> Error {
    Error::Socket { source: Box::new(source) }
}
