//! Digital discs as unions of shifted smaller discs: the plan of the level method.
//!
//! A minimum over a disc of radius 90 has 25,000 terms. But a disc is a union of a few shifted copies of a slightly
//! smaller one, so from the minima over one disc come those over the next in some twenty terms. This module finds
//! such unions, greedily: in each step the candidate that covers the most pixels still missing, per term. It is
//! exact: a shifted disc is taken only if every pixel of it belongs to the target, and a target is done only when
//! every pixel of it is covered. It knows nothing about images.
//!
//! Everything here has the eightfold symmetry of the disc, so only the octant `0 <= y <= x` is looked at, and a
//! shift stands for all its mirror images. That shortens the cover test too: of all mirror images of a disc's
//! centre, the one in a pixel's own octant is the nearest to that pixel.

/// All pixels with `x² + y² <= square`.
#[derive(Clone, Debug)]
pub(crate) struct Disc {
    square: i64,
    /// Half the width of row `y`, for `y` from 0.
    half_widths: Vec<i64>,
}

impl Disc {
    pub(crate) fn new(square: i64) -> Self {
        let half_widths = (0..=square.isqrt()).map(|y| (square - y * y).isqrt()).collect();
        Self { square, half_widths }
    }

    pub(crate) fn radius(&self) -> i64 {
        self.half_widths[0]
    }

    /// Whether this disc, moved by `(x, y)` in the octant, lies within a disc of that square.
    fn fits(&self, (x, y): (i64, i64), square: i64) -> bool {
        self.half_widths.iter().zip(y..).all(|(half, row)| (half + x) * (half + x) + row * row <= square)
    }
}

/// One term: the minima over an earlier disc, read at a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    /// Which array: 0 is the image, `i + 1` the result of step `i`.
    pub(crate) source: usize,
    pub(crate) dx: i32,
    pub(crate) dy: i32,
}

/// How to make the minima over one disc from those over smaller discs.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) radius: i64,
    /// The grey level that this disc belongs to; a disc made only to build others has none.
    pub(crate) level: Option<u32>,
    pub(crate) shifts: Vec<Shift>,
}

/// How many of the discs just made can be sources of the next.
const RECENT: usize = 4;
/// Older discs remain sources if each is at least so much larger than the one before: enough variety to fill gaps of
/// every size, few enough for their arrays to stay near the processor.
const ANCHOR_RATIO: f64 = 1.2;
/// The discs before the first level grow by at most this factor of the radius; larger steps need more terms than they save.
const GROWTH_MAX: f64 = 1.45;

/// The steps that make the minima over each level's disc, smallest first; `squares[k]` is the square of level `k`'s radius.
pub(crate) fn plan(squares: &[i64]) -> Vec<Step> {
    let mut discs = vec![Disc::new(0)];
    let mut steps = Vec::new();
    for (square, level) in targets(squares) {
        let disc = Disc::new(square);
        let shifts = cover(&disc, &discs, &sources(&discs));
        steps.push(Step { radius: disc.radius(), level, shifts });
        discs.push(disc);
    }
    steps
}

/// The discs to make: the levels' own, and stepping stones where two are too far apart.
fn targets(squares: &[i64]) -> Vec<(i64, Option<u32>)> {
    let mut targets = Vec::new();
    let mut last = 0;
    for (&square, level) in squares.iter().zip(0..) {
        // No larger than the last: a level of its own, but with nothing new in it.
        if square == last {
            continue;
        }
        let mut stones = Vec::new();
        let mut stone = (square as f64 / (GROWTH_MAX * GROWTH_MAX)) as i64;
        while stone > last && stone >= 1 {
            stones.push((stone, None));
            stone = (stone as f64 / (GROWTH_MAX * GROWTH_MAX)) as i64;
        }
        targets.extend(stones.into_iter().rev());
        targets.push((square, Some(level)));
        last = square;
    }
    targets
}

fn sources(discs: &[Disc]) -> Vec<usize> {
    let recent = discs.len().saturating_sub(RECENT);
    let mut chosen = Vec::new();
    let mut radius = f64::NEG_INFINITY;
    for (i, disc) in discs.iter().enumerate() {
        if i >= recent || (disc.square as f64).sqrt() >= radius * ANCHOR_RATIO {
            chosen.push(i);
            radius = (disc.square as f64).sqrt().max(0.5);
        }
    }
    chosen
}

/// A shift in the octant, standing for its mirror images, with what it would cover.
struct Candidate {
    source: usize,
    at: (i64, i64),
    terms: usize,
    covers: Vec<u32>,
}

fn cover(target: &Disc, discs: &[Disc], sources: &[usize]) -> Vec<Shift> {
    let largest = discs.len() - 1;
    let missing = ring(discs[largest].square, target);
    let mut candidates: Vec<_> = sources
        .iter()
        .flat_map(|&source| candidates(target, discs, source, &missing))
        .filter(|candidate| !candidate.covers.is_empty())
        .collect();
    let mut shifts = vec![Shift { source: largest, dx: 0, dy: 0 }];
    let mut is_missing = vec![true; missing.len()];
    while !candidates.is_empty() {
        let best = candidates
            .iter()
            // Compares gain per term without dividing.
            .max_by(|a, b| (a.covers.len() * b.terms).cmp(&(b.covers.len() * a.terms)))
            .expect("there is a candidate");
        shifts.extend(mirrored(best.at).into_iter().map(|(dx, dy)| Shift {
            source: best.source,
            dx: dx as i32,
            dy: dy as i32,
        }));
        for &pixel in &best.covers {
            is_missing[pixel as usize] = false;
        }
        for candidate in &mut candidates {
            candidate.covers.retain(|&pixel| is_missing[pixel as usize]);
        }
        candidates.retain(|candidate| !candidate.covers.is_empty());
    }
    // The single pixel is a source, so every missing pixel had a candidate.
    assert!(is_missing.iter().all(|missing| !missing), "a pixel of the disc was left out");
    shifts
}

/// The octant's pixels of the target outside the inner disc.
fn ring(inner: i64, target: &Disc) -> Vec<(i64, i64)> {
    let mut pixels = Vec::new();
    for (y, &half) in (0..).zip(&target.half_widths) {
        let first = if inner >= y * y { (inner - y * y).isqrt() + 1 } else { 0 };
        pixels.extend((first.max(y)..=half).map(|x| (x, y)));
    }
    pixels
}

/// The places where a source fits into the target and reaches the ring.
fn candidates(target: &Disc, discs: &[Disc], source: usize, missing: &[(i64, i64)]) -> Vec<Candidate> {
    let disc = &discs[source];
    let root = |square: i64| (square as f64).sqrt();
    let inner = root(discs[discs.len() - 1].square);
    // A disc whose centre is nearer cannot reach the ring; one whose centre is farther cannot fit. The slack allows
    // for discs of pixels being a little off their ideal radius.
    let nearest = inner - root(disc.square) - 1.0;
    let farthest = root(target.square) - root(disc.square) + 1.0;
    let mut found = Vec::new();
    for y in 0..=(farthest / std::f64::consts::SQRT_2) as i64 + 1 {
        let first = ((nearest.max(0.0).powi(2) - (y * y) as f64).max(0.0).sqrt() as i64).max(y);
        let last = (farthest.powi(2) - (y * y) as f64).max(0.0).sqrt() as i64 + 1;
        for at in (first..=last).map(|x| (x, y)) {
            if !disc.fits(at, target.square) {
                continue;
            }
            let covers = (0..).zip(missing).filter(|(_, pixel)| {
                let (x, y) = (pixel.0 - at.0, pixel.1 - at.1);
                x * x + y * y <= disc.square
            });
            let covers = covers.map(|(i, _)| i).collect();
            found.push(Candidate { source, at, terms: mirrored(at).len(), covers });
        }
    }
    found
}

/// All mirror images of a place in the octant, each once.
fn mirrored((x, y): (i64, i64)) -> Vec<(i64, i64)> {
    let mut places: Vec<_> =
        [(x, y), (y, x)].into_iter().flat_map(|(a, b)| [(a, b), (-a, b), (a, -b), (-a, -b)]).collect();
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The pixels that the plan's shifts really reach, by brute force.
    fn reached(steps: &[Step]) -> Vec<HashSet<(i32, i32)>> {
        let mut sets = vec![HashSet::from([(0, 0)])];
        for step in steps {
            let mut set = HashSet::new();
            for shift in &step.shifts {
                set.extend(sets[shift.source].iter().map(|(x, y)| (x + shift.dx, y + shift.dy)));
            }
            sets.push(set);
        }
        sets
    }

    fn disc(square: i64) -> HashSet<(i32, i32)> {
        let r = square.isqrt();
        (-r..=r)
            .flat_map(|y| (-r..=r).map(move |x| (x, y)))
            .filter(|(x, y)| x * x + y * y <= square)
            .map(|(x, y)| (x as i32, y as i32))
            .collect()
    }

    #[test]
    fn every_step_makes_exactly_its_disc() {
        for squares in
            [vec![1, 2, 4, 5], vec![24, 49, 72, 100, 101, 400], vec![199, 396, 591, 784, 975], vec![3000]]
        {
            let steps = plan(&squares);
            let sets = reached(&steps);
            let mut levels = 0;
            for (step, set) in steps.iter().zip(&sets[1..]) {
                if let Some(level) = step.level {
                    assert_eq!(*set, disc(squares[level as usize]), "level {level} of {squares:?}");
                    levels += 1;
                }
            }
            assert_eq!(levels, squares.len());
        }
    }

    #[test]
    fn a_level_without_a_disc_of_its_own_is_left_out() {
        assert_eq!(plan(&[0, 1, 1, 2]).iter().map(|step| step.level).collect::<Vec<_>>(), [Some(1), Some(3)]);
    }

    #[test]
    fn a_step_has_few_terms() {
        let squares: Vec<_> = (1..=40).map(|k| 200 * k - k * k).collect();
        let terms: usize = plan(&squares).iter().map(|step| step.shifts.len()).sum();
        assert!(terms < 40 * 40, "{terms} terms for 40 levels at radius 100; the discs have 20,000 pixels");
    }
}
