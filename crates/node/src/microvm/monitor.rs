//! One conversation with a VMM over its monitor (QMP: a JSON object a line).
//!
//! The VMM may have been taken over by its guest, so lines are bounded, answers are matched to
//! questions by id, and every question has a deadline. Descriptors travel beside a command as
//! `SCM_RIGHTS`.

use crate::driver::Error;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Longer than any answer we ask for; a line that reaches it ends the conversation.
const LINE_MAX: u64 = 256 * 1024;

/// A healthy VMM answers in under a millisecond; a stop may wait for the disk, and a busy host for
/// everything.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A connected monitor.
#[derive(Debug)]
pub struct Monitor {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    next_id: AtomicU64,
    /// Whether the conversation has ended, whoever ended it.
    closed: AtomicBool,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<Result<Value, String>>>>,
}

impl Monitor {
    /// Greets the VMM on a connected stream.
    pub async fn connect(stream: UnixStream) -> Result<Self, Error> {
        let (reader, writer) = stream.into_split();
        let shared = Arc::new(Shared::default());
        tokio::spawn(read_answers(reader, shared.clone()));
        let monitor = Self { writer: tokio::sync::Mutex::new(writer), shared };
        monitor.ask("start the conversation", "qmp_capabilities", json!({})).await?;
        Ok(monitor)
    }

    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Asks and waits for the answer.
    pub async fn ask(&self, doing: &'static str, command: &str, arguments: Value) -> Result<Value, Error> {
        self.ask_with(doing, command, arguments, None).await
    }

    /// Asks and hands over a descriptor, which the VMM gets a copy of.
    pub async fn ask_with(
        &self,
        doing: &'static str,
        command: &str,
        arguments: Value,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<Value, Error> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.shared.waiting().insert(id, answer);
        let outcome = timeout(ANSWER_WITHIN, async {
            let line = format!("{}\n", json!({ "execute": command, "arguments": arguments, "id": id }));
            // Held while one line is written, so that two commands do not run into each other.
            let writer = self.writer.lock().await;
            send(&writer, line.as_bytes(), descriptor).await.map_err(Error::system(doing))?;
            drop(writer);
            match answered.await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(detail)) => Err(Error::Refused { doing: doing.to_owned(), detail }),
                Err(_) => Err(Error::Ended { doing, detail: "its monitor was closed".into() }),
            }
        })
        .await;
        self.shared.waiting().remove(&id);
        outcome.unwrap_or(Err(Error::TimedOut { doing, seconds: ANSWER_WITHIN.as_secs() }))
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Result<Value, String>>>> {
        self.waiting.lock().expect("nothing panics while holding the waiting questions")
    }
}

async fn send(writer: &OwnedWriteHalf, mut line: &[u8], mut descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let socket: &UnixStream = writer.as_ref();
    while !line.is_empty() {
        let sent = socket
            .async_io(Interest::WRITABLE, || {
                let raw: Vec<_> = descriptor.iter().map(|fd| fd.as_raw_fd()).collect();
                let rights = [ControlMessage::ScmRights(&raw)];
                let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
                let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
                Ok(sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(line)], control, flags, None)?)
            })
            .await?;
        descriptor = None;
        line = &line[sent..];
    }
    Ok(())
}

async fn read_answers(reader: OwnedReadHalf, shared: Arc<Shared>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line).await {
            Ok(_) if line.ends_with(b"\n") => {}
            _ => break,
        }
        let Ok(message) = serde_json::from_slice::<Value>(&line) else { break };
        // The greeting and events have no id.
        let Some(id) = message.get("id").and_then(Value::as_u64) else { continue };
        let Some(answer) = shared.waiting().remove(&id) else { continue };
        let outcome = match (message.get("return"), message.pointer("/error/desc")) {
            (Some(value), _) => Ok(value.clone()),
            (None, detail) => Err(detail.and_then(Value::as_str).unwrap_or("no reason given").to_owned()),
        };
        // Whoever asked may have stopped waiting.
        let _ = answer.send(outcome);
    }
    shared.closed.store(true, Ordering::Release);
    shared.waiting().clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// A VMM that says each text after it has heard so many lines in all.
    async fn saying(texts: &'static [(usize, &'static str)]) -> Result<Monitor, Error> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        tokio::spawn(async move {
            let (reader, mut writer) = theirs.into_split();
            let mut lines = BufReader::new(reader).lines();
            let mut heard = 0;
            for (after, text) in texts {
                while heard < *after {
                    lines.next_line().await.unwrap();
                    heard += 1;
                }
                writer.write_all(text.as_bytes()).await.unwrap();
            }
            // Stays open until the other side is done.
            while let Ok(Some(_)) = lines.next_line().await {}
        });
        Monitor::connect(ours).await
    }

    const GREETING: (usize, &str) = (1, "{\"QMP\":{}}\n{\"return\":{},\"id\":0}\n");

    #[tokio::test]
    async fn answers_find_their_questions_among_events() {
        const ANSWERS: &str = "{\"event\":\"STOP\"}\n{\"return\":7,\"id\":2}\n{\"error\":{\"desc\":\"no\"},\"id\":1}\n";
        let monitor = saying(&[GREETING, (3, ANSWERS)]).await.unwrap();
        let (first, second) = tokio::join!(monitor.ask("try", "a", json!({})), monitor.ask("try", "b", json!({})));
        assert_eq!(first.unwrap_err().to_string(), "the runtime refused to try: no");
        assert_eq!(second.unwrap(), 7);
    }

    #[tokio::test]
    async fn garbage_ends_the_conversation_and_nothing_else() {
        let monitor = saying(&[GREETING, (2, "garbage\n")]).await.unwrap();
        assert!(monitor.ask("try", "a", json!({})).await.is_err());
        assert!(monitor.is_closed());
    }
}
