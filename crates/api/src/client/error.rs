//! What can go wrong with a call.

use crate::{ErrorBody, ErrorCode};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with an error.
    #[error("{}", body.error)]
    Api { status: u16, body: Box<ErrorBody> },
    #[error("`{url}` is not the address of a server: {detail}")]
    BaseUrl { url: String, detail: String },
    #[error("cannot set up the HTTP client")]
    Setup {
        #[source]
        source: reqwest::Error,
    },
    #[error("cannot reach the server at {base}")]
    Transport {
        base: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the server's answer to {call} is not what was expected")]
    Decode {
        call: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the server answered {call} with status {status} and no explanation")]
    Unexplained { call: String, status: u16 },
    #[error("an event of the stream is longer than {limit} bytes")]
    EventTooLong { limit: usize },
    #[error("the exec socket failed")]
    Socket {
        #[source]
        source: Box<tokio_tungstenite::tungstenite::Error>,
    },
    #[error("the exec socket was closed before the command ended")]
    SocketClosed,
    #[error("a frame of the exec socket is not what was expected")]
    Frame {
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// The code, if the server answered with one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Api { body, .. } => Some(body.code),
            _ => None,
        }
    }

    /// The server's own description, if it answered with one.
    pub fn body(&self) -> Option<&ErrorBody> {
        match self {
            Error::Api { body, .. } => Some(body),
            _ => None,
        }
    }
}
