//! Server-sent events as published clients read them: `data: ` and one JSON object a line.
//!
//! Clients cut lines the Unicode way, so U+2028, U+2029 and U+0085 are escaped inside the JSON. A
//! comment goes out after every 10 s of silence.

use super::limits::KEEP_ALIVE;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;

/// Answers with a stream of events. It ends when `events` does.
pub fn response<T: Serialize + 'static>(events: impl Stream<Item = T> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(with_keep_alive(events.map(|event| line(&event)))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that buffer by default leave a stream alone when told so.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn line<T: Serialize>(event: &T) -> Bytes {
    let json = serde_json::to_string(event).expect("an event is plain JSON");
    Bytes::from(format!("data: {}\n\n", escape(&json)))
}

/// Escapes the three characters that cut lines. They only occur inside JSON strings.
pub fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            '\u{85}' => escaped.push_str("\\u0085"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn with_keep_alive(
    lines: impl Stream<Item = Bytes> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let lines: Pin<Box<dyn Stream<Item = Bytes> + Send>> = Box::pin(lines);
    stream::unfold(lines, |mut lines| async move {
        // The stream keeps its own state: a wait that is given up loses nothing.
        match tokio::time::timeout(KEEP_ALIVE, lines.next()).await {
            Ok(Some(line)) => Some((Ok(line), lines)),
            Ok(None) => None,
            Err(_) => Some((Ok(Bytes::from_static(b": keep-alive\n\n")), lines)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn characters_that_cut_lines_are_escaped_and_read_back_the_same() {
        let text = "a\u{2028}b\u{2029}c\u{85}d\n";
        let json = escape(&serde_json::to_string(text).unwrap());
        assert!(!json.contains(['\u{2028}', '\u{2029}', '\u{85}', '\n']));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_says_every_ten_seconds_that_it_is_there() {
        let events = stream::once(async {
            tokio::time::sleep(std::time::Duration::from_secs(25)).await;
            1
        });
        let body = response(events).into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, ": keep-alive\n\n: keep-alive\n\ndata: 1\n\n");
    }
}
