//! One measured thing: what it allocates, which is exact, and how long it takes, which is the best of several tries.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::chain::{self, Shape};
use crate::counting::{Count, count};

/// Tries for a time that is worth telling. The best of them is what the machine can do; the others tell of its other
/// tenants. Counts need one try only.
pub const TRIES: usize = 15;

/// What something costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// What it allocates, its result included.
    pub count: Count,
    /// How long it takes, without making its argument and dropping its result.
    pub time: Duration,
}

/// Measures `what`, which gets a fresh argument at each try.
pub fn cost<A, T>(tries: usize, argument: impl Fn() -> A, what: impl Fn(A) -> T) -> Cost {
    let mut best = Cost { count: Count::default(), time: Duration::MAX };
    for _ in 0..tries {
        let argument = argument();
        let ((result, time), count) = count(|| {
            let begun = Instant::now();
            let result = what(argument);
            (result, begun.elapsed())
        });
        drop(result);
        best = Cost { count, time: best.time.min(time) };
    }
    best
}

/// A chain over a document.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// What its states do.
    pub shape: Shape,
    /// How many there are.
    pub states: usize,
    /// Bytes of the input.
    pub input_bytes: usize,
    /// From the start to the end, in one step.
    pub decide: Cost,
    /// Writing the journal's chunk of this step.
    pub encode: Cost,
    /// Bytes of that chunk.
    pub journal_bytes: usize,
}

/// Runs and measures a chain, so many times.
///
/// # Errors
/// The chain did not run to its end.
pub fn chain(shape: Shape, states: usize, text: &str, tries: usize) -> Result<Chain> {
    let machine = chain::machine(shape, states)?;
    let start = chain::start(text.into());
    let (_, transition) = chain::run(&machine, start.clone())?;
    let decide = cost(tries, || start.clone(), |start| chain::run(&machine, start));
    let encode = cost(tries, || (), |()| transition.encode());
    let journal_bytes = transition.encode().len();
    Ok(Chain { shape, states, input_bytes: text.len(), decide, encode, journal_bytes })
}

/// What grows with the document: the same chain over a small and a large one, compared. What a run allocates for its
/// states alone falls out.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// How often the document was parsed: allocations for each of those that one parse makes.
    pub parses: f64,
    /// Bytes allocated for each byte of the document.
    pub bytes: f64,
    /// How often the document's text is in the journal.
    pub journaled: f64,
}

/// Compares two runs of one chain; the documents' parses tell what one parse of each allocates.
pub fn growth(small: (&Chain, Count), large: (&Chain, Count)) -> Growth {
    let grown = |of: fn(&Chain) -> u64| of(large.0) as f64 - of(small.0) as f64;
    let text = grown(|chain| chain.input_bytes as u64);
    let parse = large.1.allocations as f64 - small.1.allocations as f64;
    Growth {
        parses: grown(|chain| chain.decide.count.allocations) / parse,
        bytes: grown(|chain| chain.decide.count.bytes) / text,
        journaled: grown(|chain| chain.journal_bytes as u64) / text,
    }
}
