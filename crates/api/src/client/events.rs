//! Reads a stream of server-sent events: one JSON object for each `data: ` line.

use super::Error;
use bytes::{Buf, BytesMut};
use futures::{Stream, StreamExt, stream};
use reqwest::Response;
use serde::de::DeserializeOwned;
use std::pin::Pin;

/// A longer line is not ours: log entries are bounded well below.
const LINE_MAX: usize = 4 * 1024 * 1024;

/// Events as they come. Ends when the server closes the stream.
pub type EventStream<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;

type Body = Pin<Box<dyn Stream<Item = Result<bytes::Bytes, reqwest::Error>> + Send>>;

struct Reader {
    body: Body,
    buffer: BytesMut,
    /// How much of `buffer` holds no line end.
    searched: usize,
    ended: bool,
    base: String,
    call: String,
}

impl Reader {
    /// The next whole line, without its end.
    fn line(&mut self) -> Option<BytesMut> {
        match self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
            Some(found) => {
                let line = self.buffer.split_to(self.searched + found);
                self.buffer.advance(1);
                self.searched = 0;
                Some(line)
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }
}

pub(super) fn read<T: DeserializeOwned + Send + 'static>(response: Response, base: &str) -> EventStream<T> {
    let call = response.url().path().to_owned();
    let reader = Reader {
        body: Box::pin(response.bytes_stream()),
        buffer: BytesMut::new(),
        searched: 0,
        ended: false,
        base: base.to_owned(),
        call,
    };
    Box::pin(stream::try_unfold(reader, |mut reader| async move {
        loop {
            while let Some(line) = reader.line() {
                if let Some(data) = line.strip_prefix(b"data: ") {
                    let event = serde_json::from_slice(data)
                        .map_err(|source| Error::Decode { call: reader.call.clone(), source })?;
                    return Ok(Some((event, reader)));
                }
            }
            if reader.ended {
                return Ok(None);
            }
            if reader.buffer.len() > LINE_MAX {
                return Err(Error::EventTooLong { limit: LINE_MAX });
            }
            match reader.body.next().await {
                Some(Ok(chunk)) => reader.buffer.extend_from_slice(&chunk),
                Some(Err(source)) => return Err(Error::Transport { base: reader.base.clone(), source }),
                None => reader.ended = true,
            }
        }
    }))
}
