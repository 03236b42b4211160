//! What a process wrote, in the order it was read, from the first byte to a bound.

use crate::protocol::{FrameKind, LOG_MAX};

/// Bytes kept together: a follower gets at most so many at once.
const BLOCK: usize = 32 * 1024;

/// Changes between the two streams that are remembered. Each costs 8 bytes beside the output.
const RUNS_MAX: usize = 1024 * 1024;

/// Put where output was dropped.
const MARKER: &[u8] = b"\n[nullspace: further output was dropped]\n";

/// Output of one process.
#[derive(Debug, Default)]
pub struct Log {
    blocks: Vec<Vec<u8>>,
    runs: Vec<Run>,
    length: usize,
    cut: bool,
}

/// Bytes of one stream that follow each other.
#[derive(Debug, Clone, Copy)]
struct Run {
    stderr: bool,
    length: u32,
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor {
    run: usize,
    in_run: u32,
    position: usize,
}

impl Log {
    /// A log that takes nothing.
    pub fn closed() -> Log {
        Log { cut: true, ..Log::default() }
    }

    /// Adds output while there is room below `max` (at most `LOG_MAX`), then a marker, then nothing.
    /// Says how many bytes the log grew by.
    pub fn append(&mut self, stderr: bool, bytes: &[u8], max: usize) -> usize {
        if self.cut || bytes.is_empty() {
            return 0;
        }
        let before = self.length;
        let room = max.min(LOG_MAX).saturating_sub(self.length);
        let room = if self.runs.len() >= RUNS_MAX { 0 } else { room };
        self.push(stderr, &bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.cut = true;
            self.push(stderr, MARKER);
        }
        self.length - before
    }

    /// The next piece after `cursor`, which moves past it; `None` when there is no more yet.
    pub fn read(&self, cursor: &mut Cursor) -> Option<(FrameKind, &[u8])> {
        let mut run = self.runs.get(cursor.run)?;
        if cursor.in_run == run.length {
            run = self.runs.get(cursor.run + 1)?;
            cursor.run += 1;
            cursor.in_run = 0;
        }
        let block = &self.blocks[cursor.position / BLOCK];
        let start = cursor.position % BLOCK;
        let length = (block.len() - start).min((run.length - cursor.in_run) as usize);
        cursor.in_run += length as u32;
        cursor.position += length;
        let kind = if run.stderr { FrameKind::Stderr } else { FrameKind::Stdout };
        Some((kind, &block[start..start + length]))
    }

    /// Bytes kept.
    pub fn len(&self) -> usize {
        self.length
    }

    fn push(&mut self, stderr: bool, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len() as u32;
        match self.runs.last_mut() {
            Some(run) if run.stderr == stderr => run.length += length,
            _ => self.runs.push(Run { stderr, length }),
        }
        self.length += bytes.len();
        while !bytes.is_empty() {
            match self.blocks.last_mut() {
                Some(block) if block.len() < BLOCK => {
                    let (now, later) = bytes.split_at(bytes.len().min(BLOCK - block.len()));
                    block.extend_from_slice(now);
                    bytes = later;
                }
                _ => self.blocks.push(Vec::new()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(log: &Log) -> Vec<(FrameKind, Vec<u8>)> {
        let mut cursor = Cursor::default();
        let mut pieces: Vec<(FrameKind, Vec<u8>)> = Vec::new();
        while let Some((kind, bytes)) = log.read(&mut cursor) {
            match pieces.last_mut() {
                Some((last, all)) if *last == kind => all.extend_from_slice(bytes),
                _ => pieces.push((kind, bytes.to_vec())),
            }
        }
        pieces
    }

    #[test]
    fn sixteen_mebibytes_are_kept_whole_and_the_rest_is_dropped_with_a_marker() {
        let mut log = Log::default();
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..20 {
            log.append(false, &chunk, LOG_MAX);
        }
        let pieces = all(&log);
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].1.len(), LOG_MAX + MARKER.len());
        assert!(pieces[0].1.ends_with(MARKER));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written_in_its_order(
            writes in proptest::collection::vec((any::<bool>(), 0usize..70_000), 0..20)
        ) {
            let mut log = Log::default();
            let mut expected: Vec<(FrameKind, Vec<u8>)> = Vec::new();
            for (number, (stderr, length)) in writes.into_iter().enumerate() {
                let bytes = vec![number as u8; length];
                prop_assert_eq!(log.append(stderr, &bytes, LOG_MAX), length);
                let kind = if stderr { FrameKind::Stderr } else { FrameKind::Stdout };
                match expected.last_mut() {
                    _ if length == 0 => {}
                    Some((last, all)) if *last == kind => all.extend(bytes),
                    _ => expected.push((kind, bytes)),
                }
            }
            prop_assert_eq!(all(&log), expected);
        }
    }
}
