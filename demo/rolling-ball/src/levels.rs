//! The fast method for 8- and 16-bit images: one flat minimum per grey level.
//!
//! For whole numbers the ball's surface may be rounded down first: `trunc(min(f + b)) = min(f + ⌊b⌋)`. Then the
//! ball is a stack of discs, one per grey level `k`, and
//!
//! ```text
//! background = min over k of (k + minimum of f over disc k)
//! ```
//!
//! where [`cover`](crate::cover) makes each disc's minima from those of smaller discs in a few terms. The work
//! depends on how many levels a part of the image needs, hardly on the radius: [`Reach`](crate::reach::Reach) bounds
//! the levels for each tile beforehand. Tiles are computed on their own, with a margin that shrinks from disc to
//! disc, so that their arrays stay near the processor.
//!
//! It refuses kernels whose rounding it cannot prove (`Levels::of` is `None`); the caller then takes the pruned way.

use crate::cover::{self, Step};
use crate::kernel::Kernel;
use crate::lanes::Lane;
use crate::reach::{Reach, Tile};

/// How far the fraction of a drop must stay below one, so that adding any 16-bit sample cannot round it up: the sum
/// is below 2²¹ for every accepted radius, where neighbouring `f64` differ by 2⁻³². It is also wide enough to cover
/// the rounding of the drop itself.
const FRACTION_MAX: f64 = 1.0 - 1.0 / (1u64 << 30) as f64;

/// A side of the tiles that the image is cut into: large against the margins, small against the caches.
const TILE_SIDE: usize = 512;

/// The ball as a stack of discs.
pub(crate) struct Levels {
    /// `squares[k]`: the offsets with `⌊drop⌋ <= k` are those with `x² + y² <= squares[k]`.
    pub(crate) squares: Vec<i64>,
}

impl Levels {
    /// The discs that can matter in an image of this size whose samples differ by at most `contrast`.
    pub(crate) fn of(kernel: &Kernel, (width, height): (usize, usize), contrast: u32) -> Option<Self> {
        let Kernel::Ball { radius } = *kernel else { return None };
        let (far_x, far_y) = (width as i64 - 1, height as i64 - 1);
        // Beyond this no offset leads from a pixel to another, so larger discs find nothing new.
        let farthest = (far_x * far_x + far_y * far_y).min((radius * radius) as i64);
        let drop = |square: i64| (radius * radius).sqrt() - (radius * radius - square as f64).max(0.0).sqrt();
        let mut squares = Vec::new();
        for level in 0..=contrast {
            let largest = largest_where(farthest, |square| drop(square) < f64::from(level + 1));
            // The drop grows with the square, so each level's last fraction is its largest.
            if drop(largest).fract() > FRACTION_MAX {
                return None;
            }
            squares.push(largest);
            if largest == farthest {
                break;
            }
        }
        Some(Self { squares })
    }
}

/// The largest number up to a maximum that a condition holds for; it holds for 0 and fails for good once it fails.
fn largest_where(maximum: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let (mut holding, mut failing) = (0, maximum + 1);
    while failing - holding > 1 {
        let middle = holding + (failing - holding) / 2;
        if holds(middle) { holding = middle } else { failing = middle }
    }
    holding
}

/// The background of one channel.
pub(crate) fn background<L: Lane>(image: &[L], width: usize, height: usize, levels: &Levels) -> Vec<L> {
    let reach = Reach::of(image, width, height, &levels.squares);
    let mut out = reach.upper.clone();
    let steps = cover::plan(&levels.squares[..levels.squares.len().min(reach.level_max() as usize + 1)]);
    let mut arrays = Arrays::default();
    for y in (0..height).step_by(TILE_SIDE) {
        for x in (0..width).step_by(TILE_SIDE) {
            let tile = Tile {
                x: x as i64,
                y: y as i64,
                width: TILE_SIDE.min(width - x) as i64,
                height: TILE_SIDE.min(height - y) as i64,
            };
            if let Some(level) = reach.level(&tile) {
                let layout = Layout::of(&steps, level, tile, width, height);
                arrays.run(&layout, &steps, image, &mut out);
            }
        }
    }
    out
}

/// Which part of each array a tile needs, and when an array is last read.
struct Layout {
    tile: Tile,
    image_width: usize,
    image_height: usize,
    /// The margin around the tile, by array (0 is the image, `i + 1` the result of step `i`).
    margins: Vec<i64>,
    /// The step that reads an array last.
    last_use: Vec<usize>,
    /// Steps to run.
    steps: usize,
    stride: usize,
    rows: usize,
}

impl Layout {
    fn of(steps: &[Step], level: u32, tile: Tile, image_width: usize, image_height: usize) -> Self {
        let needed = |step: &Step| step.level.is_some_and(|of_step| of_step <= level);
        let count = steps.iter().rposition(needed).map_or(0, |last| last + 1);
        let mut margins = vec![0; count + 1];
        let mut last_use = vec![0; count + 1];
        for (i, step) in steps[..count].iter().enumerate().rev() {
            for shift in &step.shifts {
                let distance = i64::from(shift.dx.abs().max(shift.dy.abs()));
                margins[shift.source] = margins[shift.source].max(margins[i + 1] + distance);
                last_use[shift.source] = last_use[shift.source].max(i);
            }
        }
        let margin = margins.iter().copied().max().unwrap_or(0);
        let (stride, rows) = ((tile.width + 2 * margin) as usize, (tile.height + 2 * margin) as usize);
        margins[0] = margin;
        Self { tile, image_width, image_height, margins, last_use, steps: count, stride, rows }
    }

    /// Where an array can hold anything but "outside", in the coordinates of the tile's buffers.
    fn region(&self, array: usize, radius: i64) -> Region {
        let origin = self.margins[0];
        let margin = self.margins[array];
        let span = |start: i64, length: i64, image: usize| {
            let from = (start - margin).max(-radius);
            let to = (start + length + margin).min(image as i64 + radius);
            ((from - start + origin) as usize, (to - start + origin) as usize)
        };
        let (left, right) = span(self.tile.x, self.tile.width, self.image_width);
        let (top, bottom) = span(self.tile.y, self.tile.height, self.image_height);
        let margin = margin as usize;
        let whole = right - left == self.tile.width as usize + 2 * margin
            && bottom - top == self.tile.height as usize + 2 * margin;
        Region { left, right, top, bottom, whole }
    }
}

struct Region {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
    /// Whether nothing was cut off because it lies too far outside the image.
    whole: bool,
}

/// The buffers of a tile, kept from tile to tile.
struct Arrays<L> {
    by_array: Vec<Vec<L>>,
    free: Vec<Vec<L>>,
}

impl<L> Default for Arrays<L> {
    fn default() -> Self {
        Self { by_array: Vec::new(), free: Vec::new() }
    }
}

impl<L: Lane> Arrays<L> {
    fn run(&mut self, layout: &Layout, steps: &[Step], image: &[L], out: &mut [L]) {
        self.load(layout, image);
        for (i, step) in steps[..layout.steps].iter().enumerate() {
            let mut target = self.take(layout, !layout.region(i + 1, step.radius).whole);
            self.step(layout, step, i + 1, &mut target);
            if let Some(level) = step.level {
                lower(layout, &target, L::saturated(level), out);
            }
            self.by_array.push(target);
            for (array, &last) in layout.last_use.iter().enumerate().take(i + 1) {
                if last == i && !self.by_array[array].is_empty() {
                    self.free.push(std::mem::take(&mut self.by_array[array]));
                }
            }
        }
        self.free.extend(self.by_array.drain(..).filter(|buffer| !buffer.is_empty()));
    }

    fn take(&mut self, layout: &Layout, blank: bool) -> Vec<L> {
        let mut buffer = self.free.pop().unwrap_or_default();
        if blank {
            buffer.clear();
        }
        buffer.resize(layout.stride * layout.rows, L::MAX);
        buffer
    }

    /// Copies the tile and its margin; what lies outside the image is the largest value.
    fn load(&mut self, layout: &Layout, image: &[L]) {
        let region = layout.region(0, 0);
        let mut buffer = self.take(layout, !region.whole);
        let x = (layout.tile.x - layout.margins[0]) + region.left as i64;
        let y = (layout.tile.y - layout.margins[0]) + region.top as i64;
        for row in region.top..region.bottom {
            let from = (y as usize + row - region.top) * layout.image_width + x as usize;
            let target = &mut buffer[row * layout.stride..];
            target[region.left..region.right].copy_from_slice(&image[from..][..region.right - region.left]);
        }
        self.by_array.push(buffer);
    }

    /// The minima over one disc from those over smaller ones.
    fn step(&self, layout: &Layout, step: &Step, array: usize, target: &mut [L]) {
        let region = layout.region(array, step.radius);
        let width = region.right - region.left;
        let terms: Vec<_> = step
            .shifts
            .iter()
            .map(|shift| {
                (
                    &self.by_array[shift.source][..],
                    shift.dy as isize * layout.stride as isize + shift.dx as isize,
                )
            })
            .collect();
        for row in region.top..region.bottom {
            let start = row * layout.stride + region.left;
            let target = &mut target[start..][..width];
            let term = |i: usize| {
                let (source, offset): (&[L], isize) = terms[i];
                &source[start.wrapping_add_signed(offset)..][..width]
            };
            target.copy_from_slice(term(0));
            let mut i = 1;
            while i + 8 <= terms.len() {
                L::min8(target, std::array::from_fn(|j| term(i + j)));
                i += 8;
            }
            if i + 4 <= terms.len() {
                L::min4(target, std::array::from_fn(|j| term(i + j)));
                i += 4;
            }
            for i in i..terms.len() {
                L::min1(target, term(i));
            }
        }
    }
}

/// Lowers the result where this level's disc found less.
fn lower<L: Lane>(layout: &Layout, minima: &[L], level: L, out: &mut [L]) {
    let (width, margin) = (layout.tile.width as usize, layout.margins[0] as usize);
    for row in 0..layout.tile.height as usize {
        let start = (layout.tile.y as usize + row) * layout.image_width + layout.tile.x as usize;
        let minima = &minima[(row + margin) * layout.stride + margin..][..width];
        L::min_risen(&mut out[start..][..width], minima, level);
    }
}
