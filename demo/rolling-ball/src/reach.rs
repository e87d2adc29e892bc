//! Which grey levels a part of the image can need at all, found cheaply beforehand.
//!
//! Level `k` lowers a pixel only if somewhere within its disc a sample lies more than `k` below what is already
//! known. So two things are computed: an upper bound of the background for each pixel, from squares that fit into
//! the discs, and the least sample of each block of 16 × 16 pixels. For each block every other block within the ball
//! then tells the highest level at which it could still matter. Blocks are coarse, the bound is not tight, and it
//! need not be: it only has to be on the safe side.

use crate::lanes::Lane;

/// The side of a block: its bookkeeping is then below a tenth of a percent of the pixels' work.
const BLOCK_SIDE: usize = 16;

/// A rectangle of the image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) width: i64,
    pub(crate) height: i64,
}

/// What is known before the levels are computed.
pub(crate) struct Reach<L> {
    /// No less than the background anywhere, and made of sums that belong to it.
    pub(crate) upper: Vec<L>,
    columns: usize,
    /// The highest level that can lower a pixel of the block; `None` if none can.
    levels: Vec<Option<u32>>,
}

impl<L: Lane> Reach<L> {
    pub(crate) fn of(image: &[L], width: usize, height: usize, squares: &[i64]) -> Self {
        let upper = upper_bound(image, width, height, squares);
        let (columns, rows) = (width.div_ceil(BLOCK_SIDE), height.div_ceil(BLOCK_SIDE));
        let least = blocks(image, width, L::MAX, L::min);
        let most = blocks(&upper, width, L::saturated(0), L::max);
        let drops = Drops::of(squares, columns, rows);
        let levels = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (column, row)))
            .map(|at| highest_level(at, (columns, rows), &least, most[at.1 * columns + at.0], &drops))
            .collect();
        Self { upper, columns, levels }
    }

    /// The highest level that any block needs.
    pub(crate) fn level_max(&self) -> u32 {
        self.levels.iter().copied().flatten().max().unwrap_or(0)
    }

    /// The highest level that a tile needs; `None` if its upper bound is the background already.
    pub(crate) fn level(&self, tile: &Tile) -> Option<u32> {
        let blocks = |start: i64, length: i64| {
            start as usize / BLOCK_SIDE..((start + length) as usize).div_ceil(BLOCK_SIDE)
        };
        blocks(tile.y, tile.height)
            .flat_map(|row| &self.levels[row * self.columns..][blocks(tile.x, tile.width)])
            .copied()
            .flatten()
            .max()
    }
}

/// Minima over squares of doubling size, each raised by the level of the smallest disc that holds the square.
fn upper_bound<L: Lane>(image: &[L], width: usize, height: usize, squares: &[i64]) -> Vec<L> {
    let mut upper = image.to_vec();
    let mut minima = image.to_vec();
    let mut horizontal = image.to_vec();
    let mut half = 0usize;
    loop {
        // A square of this half side from nine smaller ones that meet in the middle.
        let step = half.max(1);
        half += step;
        let corner = 2 * (half * half) as i64;
        let level = squares.partition_point(|&square| square < corner);
        if half >= width.max(height) || level == squares.len() {
            return upper;
        }
        for (target, row) in horizontal.chunks_exact_mut(width).zip(minima.chunks_exact(width)) {
            lower_from_both_sides(target, row, step);
        }
        minima.copy_from_slice(&horizontal);
        lower_from_both_sides(&mut minima, &horizontal, step * width);
        horizontal.copy_from_slice(&minima);
        L::min_risen(&mut upper, &minima, L::saturated(level as u32));
    }
}

/// The minimum of each sample and its two neighbours at a distance. A neighbour outside the image is left out, which
/// may miss some samples and keeps the bound an upper one.
fn lower_from_both_sides<L: Lane>(target: &mut [L], source: &[L], distance: usize) {
    if distance < source.len() {
        let overlap = source.len() - distance;
        L::min1(&mut target[..overlap], &source[distance..]);
        L::min1(&mut target[distance..], &source[..overlap]);
    }
}

/// One value a block.
fn blocks<L: Lane>(image: &[L], width: usize, start: L, join: fn(L, L) -> L) -> Vec<L> {
    let columns = width.div_ceil(BLOCK_SIDE);
    let mut blocks = Vec::new();
    for band in image.chunks(width * BLOCK_SIDE) {
        let first = blocks.len();
        blocks.resize(first + columns, start);
        for row in band.chunks_exact(width) {
            for (block, samples) in blocks[first..].iter_mut().zip(row.chunks(BLOCK_SIDE)) {
                *block = samples.iter().fold(*block, |least, &sample| join(least, sample));
            }
        }
    }
    blocks
}

/// The least and the greatest level between the pixels of two blocks, by their distance in blocks.
struct Drops {
    columns: usize,
    rows: usize,
    /// `None` where the ball does not reach.
    range: Vec<Option<(u32, u32)>>,
}

impl Drops {
    fn of(squares: &[i64], columns: usize, rows: usize) -> Self {
        let level_max = squares.len() as u32 - 1;
        let level = |square: i64| squares.partition_point(|&of_level| of_level < square) as u32;
        let radius = squares[squares.len() - 1].isqrt() as usize;
        let within = (radius / BLOCK_SIDE + 2).min(columns.max(rows));
        let (columns, rows) = (within.min(columns), within.min(rows));
        let side = BLOCK_SIDE as i64;
        let mut range = Vec::new();
        for row in 0..rows as i64 {
            for column in 0..columns as i64 {
                let near = |blocks: i64| ((blocks - 1) * side + 1).max(0);
                let far = |blocks: i64| blocks * side + side - 1;
                let least = level(near(column).pow(2) + near(row).pow(2));
                let greatest = level(far(column).pow(2) + far(row).pow(2)).min(level_max);
                range.push((least <= level_max).then_some((least, greatest)));
            }
        }
        Self { columns, rows, range }
    }
}

fn highest_level<L: Lane>(
    (column, row): (usize, usize),
    (columns, rows): (usize, usize),
    least: &[L],
    most: L,
    drops: &Drops,
) -> Option<u32> {
    let most: u32 = most.into();
    let mut highest = None;
    for other_row in (row + 1).saturating_sub(drops.rows)..rows.min(row + drops.rows) {
        let first = (column + 1).saturating_sub(drops.columns);
        let range = &drops.range[other_row.abs_diff(row) * drops.columns..];
        let others = &least[other_row * columns..][first..columns.min(column + drops.columns)];
        for (other_column, &least) in (first..).zip(others) {
            let Some((lowest, greatest)) = range[other_column.abs_diff(column)] else { continue };
            let least: u32 = least.into();
            if least + lowest < most {
                highest = highest.max(Some(greatest.min(most - least - 1)));
            }
        }
    }
    highest
}
