//! The server's line to one machine's agent: one link per machine, kept open, made again when it is
//! lost. Every wait is bounded: a guest that floods, babbles or keeps silent costs its caller time and
//! nobody else anything.

use crate::driver::{Error, Machine};
use nullspace_guest::client;
use nullspace_guest::link::{Link, NONCE, Stream};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a running agent may take to answer a handshake on a busy, emulated host.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A line to an agent. Clones share it.
#[derive(Clone)]
pub struct Agent {
    machine: Arc<dyn Machine>,
    // Held while a link is made, so that two callers do not take the pipe from each other.
    link: Arc<tokio::sync::Mutex<Option<Link>>>,
}

impl Agent {
    pub fn new(machine: Arc<dyn Machine>) -> Self {
        Self { machine, link: Arc::default() }
    }

    pub fn machine(&self) -> &Arc<dyn Machine> {
        &self.machine
    }

    /// Opens a stream for one operation, over a new link where there is none.
    pub async fn stream(&self, within: Duration) -> Result<Stream, Error> {
        let deadline = Instant::now() + within;
        let open = async {
            let mut link = self.link.lock().await;
            if let Some(present) = link.as_ref().filter(|link| !link.is_ended()) {
                return present.open().await.map_err(no_answer);
            }
            *link = None;
            let mut nonce = [0; NONCE];
            getrandom::fill(&mut nonce).map_err(|error| Error::Unavailable(format!("no random numbers: {error}")))?;
            let fresh = Link::connect(self.machine.dial().await?, nonce, deadline).await.map_err(no_answer)?;
            let stream = fresh.open().await.map_err(no_answer);
            *link = Some(fresh);
            stream
        };
        let gone = self.machine.ended();
        tokio::select! {
            opened = timeout(within, open) => {
                opened.unwrap_or(Err(Error::TimedOut { doing: "answer", seconds: within.as_secs() }))
            }
            () = gone => Err(Error::Ended { doing: "answer", detail: String::new() }),
        }
    }

    /// Does one operation on a stream of its own, all of it within a bound.
    pub async fn ask<T, F, Op>(&self, doing: &'static str, within: Duration, operation: Op) -> Result<T, Error>
    where
        Op: FnOnce(Stream) -> F,
        F: Future<Output = Result<T, client::Error>>,
    {
        let work = async {
            let stream = self.stream(within).await?;
            operation(stream)
                .await
                .map_err(|error| Error::Refused { doing: doing.to_owned(), detail: crate::driver::chain(&error) })
        };
        timeout(within, work).await.unwrap_or(Err(Error::TimedOut { doing, seconds: within.as_secs() }))
    }

    /// Ends the link and leaves the pipe in silence.
    pub async fn hang_up(&self) {
        let link = self.link.lock().await.take();
        if let Some(link) = link {
            link.close().await;
        }
    }
}

fn no_answer(error: nullspace_guest::link::Error) -> Error {
    Error::Refused { doing: "reach the agent".into(), detail: crate::driver::chain(&error) }
}
