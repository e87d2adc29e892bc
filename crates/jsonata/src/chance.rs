//! Random numbers from a seed: the same seed, the same numbers.

use std::cell::Cell;

/// The generator of an evaluation: SplitMix64, whose every seed is as good as another.
#[derive(Debug)]
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(Cell::new(seed))
    }

    /// Where the generator is.
    pub(crate) fn position(&self) -> u64 {
        self.0.get()
    }

    /// Draws again what was drawn from `position` on.
    pub(crate) fn go_back_to(&self, position: u64) {
        self.0.set(position);
    }

    pub(crate) fn next_u64(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A double from 0 on and below 1.
    pub(crate) fn next_double(&self) -> f64 {
        (self.next_u64() >> 11) as f64 * DOUBLE_UNIT
    }

    /// A number below `width`, which is not 0; so much less than 2^64 that its remainder is even enough.
    pub(crate) fn below(&self, width: usize) -> usize {
        (self.next_u64() % width as u64) as usize
    }
}

/// 2^-53: the distance of the doubles that are drawn.
const DOUBLE_UNIT: f64 = 1.0 / 9_007_199_254_740_992.0;

/// The first double of Java's `new Random(seed)`: AWS's `$random(seed)`.
pub(crate) fn java_double(seed: i64) -> f64 {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (seed as u64 ^ MULTIPLIER) & MASK;
    let mut bits = |count: u32| {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        state >> (48 - count)
    };
    let high = bits(26) << 27;
    (high + bits(27)) as f64 * DOUBLE_UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_double_is_javas() {
        assert_eq!(java_double(42), 0.727_563_680_032_868_1);
        assert_eq!(java_double(0), 0.730_967_787_376_657);
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let drawn = |seed| {
            let chance = Chance::new(seed);
            (0..4).map(|_| chance.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        let chance = Chance::new(1);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&chance.next_double())));
    }
}
