//! The textbook method: for each pixel, every offset within the ball. O(pixels · radius²), and it says what is right.
//!
//! Pixels outside the image are infinitely bright, so they are never looked at. A sample that is not a number never
//! wins a comparison and thus is passed over, unless `Nan::Spreads` asks for the opposite: then it makes every
//! result whose *box* (not only whose ball) holds it not a number, as scikit-image's `nansafe=True` does.

use crate::kernel::{Float, Table};

/// What a sample that is not a number does to the results around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nan {
    /// It is passed over.
    #[default]
    Ignored,
    /// It spreads over the box around the ball.
    Spreads,
}

pub(crate) fn background<F: Float>(image: &[F], width: usize, table: &Table<F>, nan: Nan) -> Vec<F> {
    let height = image.len() / width;
    let rows: Vec<_> = (0..table.rows)
        .map(|dy| match nan {
            Nan::Ignored => within(table.mirrored_row(dy)),
            Nan::Spreads => table.mirrored_row(dy),
        })
        .collect();
    let mut out = Vec::with_capacity(image.len());
    for y in 0..height {
        for x in 0..width {
            out.push(least(image, width, (x, y), &rows, nan));
        }
    }
    out
}

/// A row of the box without its infinite ends.
fn within<F: Float>(row: Vec<F>) -> Vec<F> {
    row.into_iter().filter(|drop| drop.is_finite()).collect()
}

fn least<F: Float>(image: &[F], width: usize, (x, y): (usize, usize), rows: &[Vec<F>], nan: Nan) -> F {
    let height = image.len() / width;
    let mut least = F::INFINITY;
    for other_y in (y + 1).saturating_sub(rows.len())..height.min(y + rows.len()) {
        let drops = &rows[other_y.abs_diff(y)];
        if drops.is_empty() {
            continue;
        }
        let half = drops.len() / 2;
        let from = x.saturating_sub(half);
        let to = width.min(x + half + 1);
        let samples = &image[other_y * width..][from..to];
        for (&sample, &drop) in samples.iter().zip(&drops[from + half - x..]) {
            let reached = sample + drop;
            if reached < least {
                least = reached;
            } else if nan == Nan::Spreads && reached.is_nan() {
                return reached;
            }
        }
    }
    least
}
