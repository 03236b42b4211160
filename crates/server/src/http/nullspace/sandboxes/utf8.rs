//! Text out of bytes that arrive in pieces.

/// Keeps the beginning of a character that is not whole yet; replaces what is no character.
#[derive(Debug, Default)]
pub struct Decoder {
    /// At most three bytes.
    rest: Vec<u8>,
}

impl Decoder {
    /// The text that is certain after these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            if chunks.peek().is_none() && may_continue(invalid) {
                self.rest = invalid.to_vec();
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// What was left over at the end.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()
    }
}

/// Whether more bytes could make these a character.
fn may_continue(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_arrives_whole() {
        for text in ["grüße €uro 🦀", "plain", ""] {
            for cut in 0..=text.len() {
                let mut decoder = Decoder::default();
                let mut out = decoder.push(&text.as_bytes()[..cut]);
                out.push_str(&decoder.push(&text.as_bytes()[cut..]));
                out.push_str(&decoder.finish());
                assert_eq!(out, text, "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_character_is_replaced_and_nothing_waits_for_ever() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"a\xffb\xe2\x82"), "a\u{fffd}b");
        assert_eq!(decoder.push(b"x"), "\u{fffd}x");
        assert_eq!(decoder.push(b"\xf0\x9f"), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }
}
