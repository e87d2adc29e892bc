//! Where characters are in bytes: the parser counts the former, a source is cut by the latter.
//!
//! It refuses to know lines; a text in ASCII costs nothing.

/// The byte offset of every character and of the end; none for a text in ASCII.
pub(super) struct Offsets {
    bytes: Option<Vec<usize>>,
    length: usize,
}

impl Offsets {
    pub(super) fn new(text: &str) -> Offsets {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Offsets { bytes, length: text.len() }
    }

    /// The byte at which the character of this index begins; the end for what is beyond it.
    pub(super) fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.length),
            None => character.min(self.length),
        }
    }
}
