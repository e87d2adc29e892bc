//! A made-up microscope picture: an uneven background, cells on it, noise. For demos and tests that ship no image.
//!
//! Only whole numbers are used, so the same size and seed give the same picture on every machine.

use crate::{Image, Layout, Samples};

/// One cell for so many pixels.
const PIXELS_A_CELL: usize = 2500;
/// The radii of cells.
const CELL_RADII: std::ops::Range<u64> = 6..18;

/// A greyscale 8-bit picture; a side of 0 counts as 1.
pub fn generate_sample(width: usize, height: usize, seed: u64) -> Image {
    let (width, height) = (width.max(1), height.max(1));
    let mut random = Random(seed);
    let mut light: Vec<i64> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| glow(x, y, width, height))
        .collect();
    for _ in 0..(width * height).div_ceil(PIXELS_A_CELL) {
        let centre = (random.below(width as u64) as i64, random.below(height as u64) as i64);
        let radius = (CELL_RADII.start + random.below(CELL_RADII.end - CELL_RADII.start)) as i64;
        add_cell(&mut light, width, centre, radius, 40 + random.below(80) as i64);
    }
    let samples = light.into_iter().map(|value| {
        // Two dice make the noise more often small than large.
        let noise = (random.below(7) + random.below(7)) as i64 - 6;
        (value + noise).clamp(0, 255) as u8
    });
    Image::new(width, height, Layout::Grey, Samples::U8(samples.collect()))
        .expect("there is one sample a pixel")
}

/// The background: brightest off the middle, darker towards the edges.
fn glow(x: usize, y: usize, width: usize, height: usize) -> i64 {
    let off = |at: usize, length: usize, middle: i64| {
        let place = (at * 1000 / length) as i64 - middle;
        place * place
    };
    110 - (off(x, width, 400) + off(y, height, 550)) / 8000
}

/// A dome.
fn add_cell(light: &mut [i64], width: usize, (centre_x, centre_y): (i64, i64), radius: i64, height: i64) {
    for (y, row) in (0..).zip(light.chunks_exact_mut(width)) {
        let rise = |x: i64| {
            let square: i64 = (x - centre_x).pow(2) + (y - centre_y).pow(2);
            height * (radius * radius - square) / (radius * radius)
        };
        if (centre_y - y).abs() >= radius {
            continue;
        }
        let first = (centre_x - radius).max(0);
        let last = (centre_x + radius).min(width as i64 - 1);
        for x in first..=last {
            row[x as usize] += rise(x).max(0);
        }
    }
}

/// SplitMix64, a small generator that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_depends_on_size_and_seed_alone() {
        let picture = generate_sample(80, 60, 7);
        assert_eq!(picture, generate_sample(80, 60, 7));
        assert_ne!(picture, generate_sample(80, 60, 8));
    }

    #[test]
    fn it_has_a_background_and_something_on_it() {
        let Samples::U8(samples) = generate_sample(300, 200, 1).samples().clone() else { panic!("8-bit") };
        assert!(samples.iter().any(|&sample| sample > 150));
        assert!(samples.iter().any(|&sample| sample < 90));
    }
}
