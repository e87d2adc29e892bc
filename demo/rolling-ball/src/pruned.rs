//! The fast method for floating-point images and shapes that are no ball: the textbook sums, most of them proved useless.
//!
//! The image is cut into tiles and the kernel into blocks. If the least sample that a block can meet, plus the least
//! drop in the block, is no less than the greatest result known in the tile, then no sum of the block can lower any
//! pixel of the tile, and all are skipped. Floating-point addition never reverses an order, so the bound holds for the
//! rounded sums too and the results are the textbook's to the last bit. Blocks are tried from the apex outwards:
//! the first ones make the results small and the later ones easy to skip.

use crate::kernel::{Float, Table};

/// Tiles are wider than high because rows are what the processor does many pixels of at once.
const TILE_WIDTH: usize = 64;
const TILE_HEIGHT: usize = 16;
/// The side of a kernel block, and of the cells that minima are kept of.
const BLOCK_SIDE: usize = 8;

pub(crate) fn background<F: Float>(image: &[F], width: usize, table: &Table<F>) -> Vec<F> {
    let height = image.len() / width;
    let cells = Cells::of(image, width);
    let blocks = blocks(table);
    let mut out = vec![F::INFINITY; image.len()];
    for y in (0..height).step_by(TILE_HEIGHT) {
        for x in (0..width).step_by(TILE_WIDTH) {
            let tile = Tile { x, y, right: width.min(x + TILE_WIDTH), bottom: height.min(y + TILE_HEIGHT) };
            let mut most = F::INFINITY;
            for block in &blocks {
                let least = cells.least_under(&tile, block);
                // Written so that a bound that is not a number never skips.
                if least + block.least >= most {
                    continue;
                }
                for offset in &block.offsets {
                    lower(image, &mut out, width, &tile, offset);
                }
                most = tile.most(&out, width);
            }
        }
    }
    out
}

struct Tile {
    x: usize,
    y: usize,
    right: usize,
    bottom: usize,
}

impl Tile {
    fn most<F: Float>(&self, out: &[F], width: usize) -> F {
        let rows = (self.y..self.bottom).map(|y| &out[y * width..][self.x..self.right]);
        rows.flatten()
            .fold(out[self.y * width + self.x], |most, &sample| if sample > most { sample } else { most })
    }
}

struct Offset<F> {
    dx: isize,
    dy: isize,
    drop: F,
}

/// Neighbouring offsets of the kernel.
struct Block<F> {
    /// The least drop.
    least: F,
    offsets: Vec<Offset<F>>,
    left: isize,
    right: isize,
    top: isize,
    bottom: isize,
}

/// The kernel in blocks, least drop first.
fn blocks<F: Float>(table: &Table<F>) -> Vec<Block<F>> {
    let (half_x, half_y) = (table.columns as isize - 1, table.rows as isize - 1);
    let mut blocks = Vec::new();
    for top in (-half_y..=half_y).step_by(BLOCK_SIDE) {
        for left in (-half_x..=half_x).step_by(BLOCK_SIDE) {
            let (bottom, right) =
                (half_y.min(top + BLOCK_SIDE as isize - 1), half_x.min(left + BLOCK_SIDE as isize - 1));
            let offsets: Vec<_> = (top..=bottom)
                .flat_map(|dy| (left..=right).map(move |dx| (dx, dy)))
                .map(|(dx, dy)| Offset { dx, dy, drop: table.row(dy.unsigned_abs())[dx.unsigned_abs()] })
                .filter(|offset| offset.drop.is_finite())
                .collect();
            let least = offsets
                .iter()
                .fold(F::INFINITY, |least, offset| if offset.drop < least { offset.drop } else { least });
            if !offsets.is_empty() {
                blocks.push(Block { least, offsets, left, right, top, bottom });
            }
        }
    }
    blocks.sort_by(|a, b| a.least.partial_cmp(&b.least).expect("finite drops can be compared"));
    blocks
}

/// The least sample of each cell of the image.
struct Cells<F> {
    columns: usize,
    least: Vec<F>,
    width: isize,
    height: isize,
}

impl<F: Float> Cells<F> {
    fn of(image: &[F], width: usize) -> Self {
        let columns = width.div_ceil(BLOCK_SIDE);
        let mut least = Vec::new();
        for band in image.chunks(width * BLOCK_SIDE) {
            let first = least.len();
            least.resize(first + columns, F::INFINITY);
            for row in band.chunks_exact(width) {
                for (cell, samples) in least[first..].iter_mut().zip(row.chunks(BLOCK_SIDE)) {
                    *cell = samples
                        .iter()
                        .fold(*cell, |least, &sample| if sample < least { sample } else { least });
                }
            }
        }
        Self { columns, least, width: width as isize, height: (image.len() / width) as isize }
    }

    /// No more than any sample that an offset of the block leads to from a pixel of the tile.
    fn least_under(&self, tile: &Tile, block: &Block<F>) -> F {
        let cells = |from: usize, to: usize, least: isize, most: isize, end: isize| {
            let first = (from as isize + least).max(0);
            // Nothing is left where the whole block lies outside the image.
            let end = (to as isize + most).min(end).max(0);
            first as usize / BLOCK_SIDE..(end as usize).div_ceil(BLOCK_SIDE)
        };
        let columns = cells(tile.x, tile.right, block.left, block.right, self.width);
        let mut least = F::INFINITY;
        for row in cells(tile.y, tile.bottom, block.top, block.bottom, self.height) {
            let row = &self.least[row * self.columns..][..self.columns];
            for &cell in row.get(columns.clone()).unwrap_or_default() {
                if cell < least {
                    least = cell;
                }
            }
        }
        least
    }
}

/// `out = min(out, image moved by the offset + drop)` over the tile.
fn lower<F: Float>(image: &[F], out: &mut [F], width: usize, tile: &Tile, offset: &Offset<F>) {
    let (width_signed, height) = (width as isize, (image.len() / width) as isize);
    let clip = |from: usize, to: usize, move_by: isize, end: isize| {
        let first = (from as isize).max(-move_by);
        (first, (to as isize).min(end - move_by).max(first))
    };
    let (left, right) = clip(tile.x, tile.right, offset.dx, width_signed);
    let (top, bottom) = clip(tile.y, tile.bottom, offset.dy, height);
    if left == right {
        return;
    }
    for y in top..bottom {
        let length = (right - left) as usize;
        let target = &mut out[(y * width_signed + left) as usize..][..length];
        let source = &image[((y + offset.dy) * width_signed + left + offset.dx) as usize..][..length];
        for (least, &sample) in target.iter_mut().zip(source) {
            let reached = sample + offset.drop;
            *least = if reached < *least { reached } else { *least };
        }
    }
}
