//! `Hello` and `Echo`: how each side finds the place where a new link begins.

use crate::protocol::VERSION;
use sha2::{Digest, Sha256};

/// Bytes of a nonce. It only has to differ from that of any earlier link, and not be guessed.
pub const NONCE: usize = 16;

/// How a host announces itself. Random bytes: nothing else has a reason to contain them.
const HELLO: [u8; 32] = [
    0xf1, 0x8e, 0x3a, 0xc4, 0x07, 0xd9, 0x5b, 0xe2, 0x91, 0x6c, 0xaf, 0x34, 0xda, 0x0b, 0x78, 0xc5, 0x2e, 0xf7, 0x43,
    0x9d, 0xb8, 0x16, 0x6a, 0xd1, 0x85, 0x3f, 0xec, 0x50, 0xa9, 0x1d, 0x72, 0xbe,
];

/// How a guest answers.
const ECHO: [u8; 32] = [
    0xa4, 0x59, 0xd7, 0x12, 0xee, 0x8b, 0x30, 0xc6, 0x7f, 0x95, 0x0a, 0xb3, 0xf8, 0x61, 0xcd, 0x24, 0x9a, 0x47, 0xe5,
    0x1c, 0x83, 0xd0, 0x3e, 0xf2, 0x68, 0xbb, 0x05, 0xc9, 0x56, 0xaa, 0x7d, 0x11,
];

/// Bytes of a check: enough to tell a whole `Hello` from one that was cut by the next.
const CHECK: usize = 8;
const HELLO_LENGTH: usize = HELLO.len() + 4 + NONCE + CHECK;

/// A host wants to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    pub version: u32,
    pub nonce: [u8; NONCE],
}

impl Hello {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HELLO_LENGTH);
        bytes.extend(HELLO);
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(self.nonce);
        bytes.extend(check(&bytes));
        bytes
    }

    fn decode(bytes: &[u8; HELLO_LENGTH]) -> Option<Hello> {
        let (said, checked) = bytes.split_at(HELLO_LENGTH - CHECK);
        let rest = said.strip_prefix(&HELLO)?;
        if check(said) != checked {
            return None;
        }
        let (version, nonce) = rest.split_first_chunk::<4>()?;
        Some(Hello { version: u32::from_be_bytes(*version), nonce: nonce.try_into().ok()? })
    }

    /// What the guest answers to this.
    pub fn echo(&self) -> Vec<u8> {
        let mut bytes = echo_prefix(&self.nonce);
        bytes.extend(VERSION.to_be_bytes());
        bytes
    }
}

fn check(said: &[u8]) -> [u8; CHECK] {
    let digest: [u8; 32] = Sha256::digest(said).into();
    *digest.first_chunk().expect("a digest is longer than a check")
}

/// What comes before the guest's version.
pub(super) fn echo_prefix(nonce: &[u8; NONCE]) -> Vec<u8> {
    [&ECHO[..], &nonce[..]].concat()
}

/// Finds the last whole `Hello` in a stream of pieces. Never holds a byte back: what has arrived may
/// be the end of a message that somebody waits for.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The last bytes seen, one fewer than a `Hello`.
    tail: Vec<u8>,
}

impl Scanner {
    /// The last `Hello` that ends in `piece`, with how much of `piece` it and everything before it take.
    pub fn feed(&mut self, piece: &[u8]) -> Option<(Hello, usize)> {
        let before = self.tail.len();
        let mut all = std::mem::take(&mut self.tail);
        all.extend_from_slice(piece);
        let found = last_hello(&all);
        let keep_from = match found {
            // A `Hello` is found once.
            Some((_, end)) => end,
            None => all.len().saturating_sub(HELLO_LENGTH - 1),
        };
        let keep_from = keep_from.max(all.len().saturating_sub(HELLO_LENGTH - 1));
        all.drain(..keep_from);
        self.tail = all;
        found.map(|(hello, end)| (hello, end - before))
    }
}

fn last_hello(bytes: &[u8]) -> Option<(Hello, usize)> {
    // Going backwards, the first that fits is the last said. One byte is compared before 32 are.
    let last_start = bytes.len().checked_sub(HELLO_LENGTH)?;
    (0..=last_start).rev().find_map(|start| {
        if bytes[start] != HELLO[0] {
            return None;
        }
        let end = start + HELLO_LENGTH;
        let hello = Hello::decode(bytes[start..end].try_into().expect("as long as a hello"))?;
        Some((hello, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello(seed: u8) -> Hello {
        Hello { version: VERSION, nonce: [seed; NONCE] }
    }

    /// Feeds `bytes` in pieces of `size`; gives the hellos found and all bytes after the last.
    fn scan(bytes: &[u8], size: usize) -> (Vec<Hello>, Vec<u8>) {
        let mut scanner = Scanner::default();
        let (mut found, mut after) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            match scanner.feed(piece) {
                Some((hello, used)) => {
                    found.push(hello);
                    after = piece[used..].to_vec();
                }
                None => after.extend_from_slice(piece),
            }
        }
        (found, after)
    }

    #[test]
    fn a_hello_cut_short_by_the_next_one_does_not_hide_it() {
        for cut in 0..HELLO_LENGTH {
            let mut bytes = hello(1).encode()[..cut].to_vec();
            bytes.extend(hello(2).encode());
            bytes.extend(b"rest");
            for size in [1, 7, 64, 1000] {
                let (found, after) = scan(&bytes, size);
                assert_eq!(found, [hello(2)], "cut {cut}, pieces of {size}");
                assert_eq!(after, b"rest");
            }
        }
    }

    #[test]
    fn of_two_hellos_in_one_piece_the_last_counts() {
        let bytes = [hello(1).encode(), b"noise".to_vec(), hello(2).encode(), b"x".to_vec()].concat();
        assert_eq!(scan(&bytes, bytes.len()), (vec![hello(2)], b"x".to_vec()));
    }

    proptest! {
        #[test]
        fn a_hello_is_found_after_any_garbage_and_in_any_pieces(
            garbage in proptest::collection::vec(any::<u8>(), 0..300),
            after in proptest::collection::vec(any::<u8>(), 0..300),
            nonce in any::<[u8; NONCE]>(),
            size in 1usize..200,
        ) {
            let hello = Hello { version: 7, nonce };
            let bytes = [garbage, hello.encode(), after.clone()].concat();
            let (found, rest) = scan(&bytes, size);
            prop_assert_eq!(found, vec![hello]);
            prop_assert_eq!(rest, after);
        }

        #[test]
        fn garbage_is_never_a_hello_and_is_not_kept(garbage in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let mut scanner = Scanner::default();
            for piece in garbage.chunks(333) {
                prop_assert_eq!(scanner.feed(piece), None);
                prop_assert!(scanner.tail.len() < HELLO_LENGTH);
            }
        }

        #[test]
        fn a_damaged_hello_is_not_one(at in 0..HELLO_LENGTH, bit in 0u8..8) {
            let mut bytes = hello(3).encode();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Scanner::default().feed(&bytes), None);
        }
    }
}
