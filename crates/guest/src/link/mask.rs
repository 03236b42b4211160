//! The key stream that keeps chosen bytes from appearing on the wire.
//!
//! This is no encryption. Its one property: who does not know the nonce cannot choose what the masked
//! bytes are, so nobody can send a `Hello` through a stream.

use super::handshake::NONCE;
use sha2::{Digest, Sha256};

/// A position in the key stream. Each byte is masked once, in order.
#[derive(Debug, Clone)]
pub struct Mask {
    state: [u64; 2],
    word: [u8; 8],
    used: usize,
}

impl Mask {
    pub fn new(nonce: &[u8; NONCE]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"nullspace link mask");
        hash.update(nonce);
        let digest: [u8; 32] = hash.finalize().into();
        let half = |at: usize| u64::from_le_bytes(digest[at..at + 8].try_into().expect("eight bytes"));
        // A generator of this family must not start at zero.
        Self { state: [half(0) | 1, half(8)], word: [0; 8], used: 8 }
    }

    /// Masks or unmasks: both are the same.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while self.used < 8 && !rest.is_empty() {
            let (first, tail) = rest.split_first_mut().expect("not empty");
            *first ^= self.word[self.used];
            self.used += 1;
            rest = tail;
        }
        let (words, tail) = rest.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_le_bytes(*word) ^ self.step()).to_le_bytes();
        }
        if !tail.is_empty() {
            self.word = self.step().to_le_bytes();
            self.used = tail.len();
            for (byte, key) in tail.iter_mut().zip(self.word) {
                *byte ^= key;
            }
        }
    }

    /// One step of xorshift128+.
    fn step(&mut self) -> u64 {
        let [mut a, b] = self.state;
        let out = a.wrapping_add(b);
        a ^= a << 23;
        self.state = [b, a ^ b ^ (a >> 18) ^ (b >> 5)];
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_twice_gives_the_bytes_back_however_they_are_cut() {
        let plain: Vec<u8> = (0..1000u32).map(|n| (n % 251) as u8).collect();
        let mut masked = plain.clone();
        Mask::new(&[7; NONCE]).apply(&mut masked);
        assert_ne!(masked, plain);
        for cut in 0..40 {
            let mut again = masked.clone();
            let mut mask = Mask::new(&[7; NONCE]);
            let (left, right) = again.split_at_mut(cut);
            mask.apply(left);
            for piece in right.chunks_mut(cut + 1) {
                mask.apply(piece);
            }
            assert_eq!(again, plain);
        }
    }
}
