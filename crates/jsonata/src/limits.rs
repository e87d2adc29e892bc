//! What one evaluation may use.

/// The bounds of one evaluation, each beyond what honest expressions over a payload of 256 KiB need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds on the clock.
    pub time_ms: u64,
    /// How deep expressions, and with them calls, may be nested while they run.
    pub depth: usize,
    /// How many items one sequence may have.
    pub sequence_items: usize,
    /// How long a text that is built may be, and the JSON text of the result, in bytes.
    pub text_bytes: usize,
    /// How much the values of the evaluation may occupy at once. Needs [`Metered`](crate::Metered) as the program's
    /// allocator.
    pub heap_bytes: usize,
    /// How long an expression may be, in bytes.
    pub source_bytes: usize,
}

impl Limits {
    /// AWS's bounds, as far as they are known.
    ///
    /// The time is one observer's measurement, the depth is in AWS's own text, and just under seven megabytes is where
    /// texts stop. How AWS weighs other values is not known: a number that takes two bytes of JSON takes forty here, so
    /// the heap's bound leaves room for an honest payload several times over. A definition has at most 1 MiB, so that
    /// an expression has less.
    pub const STRICT: Limits = Limits {
        time_ms: 1_000,
        depth: 100,
        sequence_items: 500_000,
        text_bytes: 6_990_000,
        heap_bytes: 64 * 1024 * 1024,
        source_bytes: 1024 * 1024,
    };
}

impl Limits {
    /// The depth as the library counts it.
    ///
    /// JSONata counts every expression that is being evaluated, the library none of the leaves, so that it counts one
    /// less in nearly all shapes of recursion (measured against jsonata-js's own counter). Where a function calls itself
    /// through `$reduce` or `$merge` at its end it counts up to 1.4 times as much, and our definitions add a level or
    /// two. The half more lets everything run that AWS runs; what it lets run beyond that is bounded all the same.
    pub(crate) fn core_depth(&self) -> usize {
        self.depth + self.depth / 2
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::STRICT
    }
}
