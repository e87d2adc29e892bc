//! How fast the textbook method is on this machine, so that a caller can foretell how long an image will take.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::{Method, background, generate_sample};

/// A size at which a measurement takes a few hundredths of a second.
const SIDE: usize = 200;
const RADIUS: f64 = 20.0;
/// The least of so many measurements is taken: whatever else the machine does can only add time.
const TRIALS: usize = 5;

/// What one run of `direct` costs here.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    /// Nanoseconds of processor time a pixel and kernel element; the ball of radius `r` has about `π r²` elements.
    pub ns_per_pixel_element: f64,
}

impl Calibration {
    /// The processor time `direct` will take for one channel. Edges make it a little less on small images: there the ball hangs over.
    pub fn direct(&self, width: usize, height: usize, radius: f64) -> Duration {
        Duration::from_secs_f64(self.ns_per_pixel_element * elements(width, height, radius) * 1e-9)
    }
}

/// Measures `direct` for a moment.
pub fn calibrate() -> Calibration {
    let image = generate_sample(SIDE, SIDE, 1);
    let least = (0..TRIALS)
        .map(|_| {
            let start = cpu_time();
            let rolled = background(&image, RADIUS, Method::Direct).expect("the radius is in range");
            std::hint::black_box(rolled);
            cpu_time() - start
        })
        .min()
        .unwrap_or_default();
    Calibration { ns_per_pixel_element: least.as_secs_f64() * 1e9 / elements(SIDE, SIDE, RADIUS) }
}

/// The processor time that this thread has used.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Pairs of a pixel and another one under its ball, counted by rows and columns that exist.
fn elements(width: usize, height: usize, radius: f64) -> f64 {
    // Of two pixels `d` apart along a side of length `n` there are `n - d` pairs.
    let r = radius.floor() as i64;
    let pairs = |length: usize, distance: i64| (length as f64 - distance.unsigned_abs() as f64).max(0.0);
    (-r..=r)
        .map(|dy| {
            let half = (radius * radius - (dy * dy) as f64).max(0.0).sqrt().floor() as i64;
            let row: f64 = (-half..=half).map(|dx| pairs(width, dx)).sum();
            row * pairs(height, dy)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_once_each() {
        let count = |width: i64, height: i64, radius: f64| {
            let places = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            let near = |a: (i64, i64), b: (i64, i64)| {
                (((a.0 - b.0).pow(2) + (a.1 - b.1).pow(2)) as f64).sqrt() <= radius
            };
            places().map(|a| places().filter(|&b| near(a, b)).count()).sum::<usize>() as f64
        };
        for (width, height, radius) in [(1, 1, 3.0), (9, 7, 2.0), (5, 12, 4.5), (6, 6, 20.0)] {
            assert_eq!(elements(width, height, radius), count(width as i64, height as i64, radius));
        }
    }
}
