//! A thread that owns a connection and runs closures on it, in order.

use super::Error;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

#[derive(Clone)]
pub struct Worker {
    // Unbounded, but every job has a caller that waits for its answer: requests bound it.
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    pub fn start(name: &str, mut connection: Connection) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let work = move || {
            while let Ok(job) = queue.recv() {
                // A panic undoes its own transaction; the connection is sound and others need it.
                if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
                    tracing::error!("a store operation panicked");
                }
            }
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(Error::Thread)?;
        Ok(Self { jobs })
    }

    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &mut Connection| {
            // The caller may have gone away; the work is done all the same.
            let _ = answer.send(work(connection));
        };
        self.jobs.send(Box::new(job)).map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)
    }
}
