//! From a step's raw output to lines for the build's log. Pure: the moment is an argument.
//!
//! What comes out of a guest is arbitrary bytes at arbitrary speed. Lines are bounded in length and
//! rate, invalid UTF-8 is replaced, terminal escapes go, and a progress bar that redraws itself
//! with carriage returns is one line: its last state.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest line kept, in bytes: a minified file printed by mistake should not fill the log.
const LINE_MAX: usize = 2048;
/// Lines that pass at once, and how many more pass in a second after that. `apt-get` and `npm` stay
/// well below; a step that prints in a loop does not.
const BURST: f64 = 400.0;
const LINES_PER_SECOND: f64 = 100.0;
/// How much of the end a failure message shows.
const TAIL_LINES: usize = 20;
const TAIL_LINE_MAX: usize = 300;

/// The output of one step.
#[derive(Debug)]
pub struct Output {
    /// Standard output and standard error, each with its unfinished line.
    partial: [Vec<u8>; 2],
    /// The last lines, shown or not.
    tail: VecDeque<String>,
    tokens: f64,
    refilled: Instant,
    dropped: u64,
}

/// Which of the two streams bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout = 0,
    Stderr = 1,
}

impl Output {
    pub fn new(now: Instant) -> Self {
        Self { partial: [Vec::new(), Vec::new()], tail: VecDeque::new(), tokens: BURST, refilled: now, dropped: 0 }
    }

    /// Takes bytes and gives the lines that may be shown now.
    pub fn push(&mut self, stream: Stream, bytes: &[u8], now: Instant) -> Vec<String> {
        let mut shown = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let partial = &mut self.partial[stream as usize];
            append(partial, text);
            if ends {
                let line = clean(partial);
                partial.clear();
                self.line(line, now, &mut shown);
            }
        }
        shown
    }

    /// The unfinished lines, and a word on what was left out.
    pub fn finish(&mut self, now: Instant) -> Vec<String> {
        let mut shown = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let partial = std::mem::take(&mut self.partial[stream as usize]);
            if !partial.is_empty() {
                self.line(clean(&partial), now, &mut shown);
            }
        }
        self.own_up(&mut shown);
        shown
    }

    /// The end of the output, for a failure message.
    pub fn tail(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn line(&mut self, line: String, now: Instant, shown: &mut Vec<String>) {
        if line.trim().is_empty() {
            return;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.chars().take(TAIL_LINE_MAX).collect());

        let since = now.saturating_duration_since(self.refilled);
        // Refilling in small steps would lose time to rounding when a step prints all the time.
        if since >= Duration::from_millis(10) {
            self.tokens = (self.tokens + since.as_secs_f64() * LINES_PER_SECOND).min(BURST);
            self.refilled = now;
        }
        if self.tokens < 1.0 {
            self.dropped += 1;
            return;
        }
        self.tokens -= 1.0;
        self.own_up(shown);
        shown.push(line);
    }

    fn own_up(&mut self, shown: &mut Vec<String>) {
        if self.dropped > 0 {
            shown.push(format!("… {} lines left out", self.dropped));
            self.dropped = 0;
        }
    }
}

/// Adds to an unfinished line without letting it grow: a carriage return starts it again.
fn append(partial: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        // "\r\n" and "\r\r\n" end lines; anything after a carriage return overwrites what was there.
        if partial.last() == Some(&b'\r') && byte != b'\r' {
            partial.clear();
        }
        // One byte above the bound is kept as the sign that there was more.
        if partial.len() <= LINE_MAX || byte == b'\r' {
            if partial.len() > LINE_MAX {
                partial.truncate(LINE_MAX);
            }
            partial.push(byte);
        }
    }
}

fn clean(line: &[u8]) -> String {
    let mut line = line;
    while let Some(rest) = line.strip_suffix(b"\r") {
        line = rest;
    }
    let cut = line.len() > LINE_MAX;
    let text = String::from_utf8_lossy(&line[..line.len().min(LINE_MAX)]);
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => plain.push('\t'),
            // C0 and C1 controls, and what would turn text around in a terminal that shows the log.
            control if control.is_control() => {}
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            other => plain.push(other),
        }
    }
    if cut {
        plain.push('…');
    }
    plain
}

/// Eats one escape sequence after its ESC: CSI up to its final byte, OSC and other strings up to
/// their terminator, or the one character of the short ones.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => {
            for char in chars.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&char) {
                    break;
                }
            }
        }
        Some(']' | 'P' | '^' | '_' | 'X') => {
            while let Some(char) = chars.next() {
                if char == '\u{7}' {
                    break;
                }
                if char == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some('(' | ')' | '*' | '+' | '#' | ' ') => {
            chars.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let now = Instant::now();
        let mut output = Output::new(now);
        let mut lines = output.push(Stream::Stdout, bytes, now);
        lines.extend(output.finish(now));
        lines
    }

    #[test]
    fn a_progress_bar_is_its_last_state_and_windows_line_ends_are_line_ends() {
        assert_eq!(lines(b" 10%\r 50%\r100%\ndone\r\nnext\n"), ["100%", "done", "next"]);
        assert_eq!(lines(b"working\r"), ["working"]);
    }

    #[test]
    fn colours_titles_and_control_characters_go_and_bad_utf8_is_replaced() {
        assert_eq!(lines(b"\x1b[1;32mok\x1b[0m \x1b]0;title\x07a\x08b\x00 \xff\xfe!\n"), ["ok ab \u{fffd}\u{fffd}!"]);
        assert_eq!(lines("\u{202e}txt\n".as_bytes()), ["txt"]);
    }

    #[test]
    fn a_line_split_over_pieces_and_streams_comes_out_whole() {
        let now = Instant::now();
        let mut output = Output::new(now);
        assert!(output.push(Stream::Stdout, b"he", now).is_empty());
        assert!(output.push(Stream::Stderr, "ö".as_bytes()[..1].into(), now).is_empty());
        assert_eq!(output.push(Stream::Stdout, b"llo\n", now), ["hello"]);
        assert_eq!(output.push(Stream::Stderr, &[&"ö".as_bytes()[1..], b"\n"].concat(), now), ["ö"]);
    }

    #[test]
    fn an_endless_line_costs_bounded_memory_and_says_it_was_cut() {
        let now = Instant::now();
        let mut output = Output::new(now);
        for _ in 0..1000 {
            output.push(Stream::Stdout, &[b'x'; 65536], now);
            assert!(output.partial[0].len() <= LINE_MAX + 2);
        }
        let lines = output.finish(now);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with('…') && lines[0].len() <= LINE_MAX + 4);
    }

    #[test]
    fn a_flood_is_thinned_and_admitted_and_the_end_is_still_known() {
        let start = Instant::now();
        let mut output = Output::new(start);
        let flood: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let shown = output.push(Stream::Stdout, flood.as_bytes(), start);
        assert_eq!(shown.len(), BURST as usize);
        let later = output.push(Stream::Stdout, b"after\n", start + Duration::from_secs(1));
        assert_eq!(later, ["… 9600 lines left out", "after"]);
        assert!(output.tail().contains("line 9999") && output.tail().ends_with("after"));
    }
}
