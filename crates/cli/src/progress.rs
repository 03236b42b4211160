//! Long work on a terminal: a spinner or bar on standard error. Elsewhere plain lines, a few at most.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Shows one piece of work; what it leaves on the screen is gone when it is dropped.
pub struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    pub fn start(message: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        let mut progress = Self { bar, last: String::new() };
        progress.say(message, None);
        progress
    }

    /// What is going on now, with how much of it is done where that is known.
    pub fn say(&mut self, message: &str, bytes: Option<(u64, u64)>) {
        let Some(bar) = &self.bar else {
            // A log wants to know what changes, not how a number grows.
            if self.last != message {
                eprintln!("{message}");
                message.clone_into(&mut self.last);
            }
            return;
        };
        bar.set_message(message.to_owned());
        if let Some((done, total)) = bytes {
            bar.set_style(
                ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg}").expect("the template is constant"),
            );
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
