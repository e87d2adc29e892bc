//! Which children are known: a bit for each, so that a hundred million are 12 MB and ten thousand are nothing.

/// A set of children's numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    /// Adds a number; `false` when it was there.
    pub(crate) fn insert(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1 << (index % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }

    /// Whether a number is there.
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.words.get(index as usize / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once() {
        let mut known = Bitmap::default();
        for index in [0, 63, 64, 1_000_000] {
            assert!(!known.contains(index));
            assert!(known.insert(index));
            assert!(known.contains(index));
            assert!(!known.insert(index));
        }
        assert!(!known.contains(65));
    }
}
