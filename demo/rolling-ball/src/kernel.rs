//! The rolled shape: how much higher than its lowest point a ball's surface stands at each offset.
//!
//! A kernel is a formula, not a table: a radius may be far larger than the image, and only the offsets that fit
//! into the image are ever tabulated ([`Table`]). It knows nothing about pixels. The arithmetic follows
//! scikit-image's `ball_kernel` and `ellipsoid_kernel` operation by operation, because a result that must be equal
//! to the last bit cannot be computed by a nicer formula.

use crate::Error;

/// The largest radius accepted: beyond it a ball is flat over any image that fits into memory, and squared
/// distances stay exact in `f64`.
pub const RADIUS_MAX: f64 = 1_000_000.0;

/// A shape to roll under the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// A ball of this radius, in pixels and in grey levels alike.
    Ball {
        /// The radius.
        radius: f64,
    },
    /// Half an ellipsoid over a rectangle.
    Ellipsoid {
        /// Width of the rectangle in pixels.
        width: usize,
        /// Height of the rectangle in pixels.
        height: usize,
        /// Half axis along the grey levels.
        intensity: f64,
    },
}

impl Kernel {
    /// A ball; the radius is positive, finite and at most [`RADIUS_MAX`].
    pub fn ball(radius: f64) -> Result<Self, Error> {
        // A NaN fails both comparisons.
        if radius > 0.0 && radius <= RADIUS_MAX {
            Ok(Self::Ball { radius })
        } else {
            Err(Error::Radius(radius))
        }
    }

    /// Half the width and half the height of the box around the shape, in pixels.
    pub(crate) fn half_box(&self) -> (usize, usize) {
        match *self {
            Self::Ball { radius } => (radius.ceil() as usize, radius.ceil() as usize),
            Self::Ellipsoid { width, height, .. } => ((width / 2).max(1), (height / 2).max(1)),
        }
    }

    /// The surface over the box's middle plane at an offset; `None` outside the shape.
    fn surface(&self, dx: usize, dy: usize) -> Option<f64> {
        let (x, y) = (dx as f64, dy as f64);
        match *self {
            Self::Ball { radius } => {
                let squares = y * y + x * x;
                (squares.sqrt() <= radius).then(|| (radius * radius - squares).max(0.0).sqrt())
            }
            Self::Ellipsoid { intensity, .. } => {
                let (half_x, half_y) = self.half_box();
                let (u, v) = (y / half_y as f64, x / half_x as f64);
                let rest = 1.0 - (u * u + v * v);
                (rest >= 0.0).then(|| intensity * rest.sqrt())
            }
        }
    }

    /// The drops of one quadrant, cut to the offsets that occur in an image of this size.
    pub(crate) fn table<F: Float>(&self, image_width: usize, image_height: usize) -> Table<F> {
        let (half_x, half_y) = self.half_box();
        let columns = half_x.min(image_width - 1) + 1;
        let rows = half_y.min(image_height - 1) + 1;
        let apex = F::of(self.surface(0, 0).expect("the middle is inside every shape"));
        let drops = (0..rows)
            .flat_map(|dy| (0..columns).map(move |dx| (dx, dy)))
            .map(|(dx, dy)| self.surface(dx, dy).map_or(F::INFINITY, |surface| apex - F::of(surface)))
            .collect();
        Table { columns, rows, drops }
    }
}

/// The drop from the apex for `0 <= dx < columns`, `0 <= dy < rows`; infinite outside the shape.
pub(crate) struct Table<F> {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    drops: Vec<F>,
}

impl<F: Float> Table<F> {
    pub(crate) fn row(&self, dy: usize) -> &[F] {
        &self.drops[dy * self.columns..][..self.columns]
    }

    /// A whole row of the box, from `-(columns - 1)` to `columns - 1`.
    pub(crate) fn mirrored_row(&self, dy: usize) -> Vec<F> {
        let half = self.row(dy);
        half[1..].iter().rev().chain(half).copied().collect()
    }
}

/// The two floating-point types images are computed in; scikit-image uses `f32` for `f32` images only.
pub(crate) trait Float:
    Copy + PartialOrd + std::ops::Add<Output = Self> + std::ops::Sub<Output = Self>
{
    const INFINITY: Self;
    fn of(value: f64) -> Self;
    fn is_nan(self) -> bool;
    fn is_finite(self) -> bool;
}

impl Float for f32 {
    const INFINITY: Self = Self::INFINITY;
    fn of(value: f64) -> Self {
        value as Self
    }
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

impl Float for f64 {
    const INFINITY: Self = Self::INFINITY;
    fn of(value: f64) -> Self {
        value
    }
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}
