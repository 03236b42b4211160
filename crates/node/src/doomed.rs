//! A machine that ends unless somebody says that it shall live.
//!
//! Whatever goes wrong while a machine is made, and wherever its maker stops waiting, this ends its
//! process and removes its home.

use crate::driver::Error;
use crate::journal::Home;
use crate::process;
use std::time::{Duration, Instant};

/// A killed process is gone at once, unless the kernel is busy giving its memory back.
const END_WITHIN: Duration = Duration::from_secs(4);
/// Nobody was promised a machine that was never finished, so there is more patience with its end: on a
/// host with many times more work than processors it was seen to take longer than the above.
const END_HALF_MADE_WITHIN: Duration = Duration::from_secs(8);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A home that is removed, with its process killed, when this is dropped.
#[derive(Debug)]
pub struct Doomed {
    home: Option<Home>,
}

impl Doomed {
    pub fn new(home: Home) -> Self {
        Self { home: Some(home) }
    }

    pub fn home(&self) -> &Home {
        self.home.as_ref().expect("only taken when this is consumed")
    }

    /// The machine lives on; it is the caller's now.
    pub fn spare(mut self) -> Home {
        self.home.take().expect("only taken here")
    }

    /// Ends the machine and waits until nothing of it is left.
    pub async fn end(mut self) -> Result<(), Error> {
        let home = self.home.take().expect("only taken here");
        tokio::task::spawn_blocking(move || end_within(&home, END_HALF_MADE_WITHIN))
            .await
            .expect("ending a machine does not panic")
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        // A destructor must not wait, and there may be no runtime any more. What is not ended here is
        // found in the journal at the next start.
        let ending = home.ending();
        std::thread::spawn(move || {
            let _until_it_is_gone = ending;
            if let Err(error) = end_within(&home, END_HALF_MADE_WITHIN) {
                tracing::warn!(machine = home.entry().name, "cannot end a half-made machine: {}", error.chain());
            }
        });
    }
}

/// Kills what runs in a home and removes it. Blocks.
pub fn end(home: &Home) -> Result<(), Error> {
    end_within(home, END_WITHIN)
}

fn end_within(home: &Home, within: Duration) -> Result<(), Error> {
    let begun = Instant::now();
    // A process that is only about to be written down holds the lock already.
    while home.is_locked() {
        if let Some(process) = home.process() {
            process::end(process, within.saturating_sub(begun.elapsed()));
        }
        if begun.elapsed() > within {
            return Err(Error::TimedOut { doing: "end", seconds: within.as_secs() });
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    home.remove()
}
