//! ImageJ's rolling ball, which is a different algorithm of the same name.
//!
//! It keeps the result of a 3 × 3 mean instead of the image, shrinks it for larger balls (each small pixel the least
//! of its square), *opens* it by a trimmed ball (the ball's height everywhere, then the highest point of all balls
//! over a pixel), and enlarges the outcome bilinearly. Steps and rounding are those of `opencv-rolling-ball` 1.0.1,
//! a port of ImageJ's `BackgroundSubtracter` that rounds down rather than to nearest and subtracts from the smoothed image.
//! Where the port fails, on images of fewer pixels than the shrinking needs, the nearest small pixel is taken.

/// The background and the image without it, of one 8-bit channel.
pub(crate) struct Opened {
    pub(crate) background: Vec<u8>,
    pub(crate) result: Vec<u8>,
}

pub(crate) fn open(image: &[u8], width: usize, radius: f64, light_background: bool) -> Opened {
    let smooth = Plane { width, height: image.len() / width, values: smoothed(image, width) };
    let ball = Ball::of(radius);
    let upright = smooth.map(|value| if light_background { 255.0 - value } else { value });
    let background = if ball.shrink > 1 {
        let opened = opened(&shrunken(&upright, ball.shrink), &ball);
        enlarged(&opened, width, smooth.height, ball.shrink)
    } else {
        opened(&upright, &ball)
    };
    let background = background.map(|value| if light_background { 255.0 - value } else { value });
    let offset = if light_background { 255.5 } else { 0.5 };
    let result = smooth.values.iter().zip(&background.values);
    Opened {
        // A cast rounds towards zero and keeps to the range.
        result: result.map(|(value, background)| (value - background + offset) as u8).collect(),
        background: background.values.iter().map(|&value| value as u8).collect(),
    }
}

struct Plane {
    width: usize,
    height: usize,
    values: Vec<f64>,
}

impl Plane {
    fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            width: self.width,
            height: self.height,
            values: self.values.iter().map(|&value| change(value)).collect(),
        }
    }

    fn row(&self, y: usize) -> &[f64] {
        &self.values[y * self.width..][..self.width]
    }
}

/// Mean of 3 × 3, rounded to nearest; the image is mirrored at its edges without repeating them.
fn smoothed(image: &[u8], width: usize) -> Vec<f64> {
    let height = image.len() / width;
    let around = |i: usize, end: usize| {
        let after = if i + 1 < end { i + 1 } else { i.saturating_sub(1) };
        let before = if i > 0 { i - 1 } else { after };
        [before, i, after]
    };
    let mut means = Vec::with_capacity(image.len());
    for y in 0..height {
        for x in 0..width {
            let rows = around(y, height).map(|y| &image[y * width..][..width]);
            let columns = around(x, width);
            let sum: u32 = rows.iter().flat_map(|row| columns.map(|x| u32::from(row[x]))).sum();
            means.push(f64::from((sum + 4) / 9));
        }
    }
    means
}

/// A square piece of the top of a ball.
struct Ball {
    shrink: usize,
    half_width: usize,
    surface: Vec<f64>,
}

impl Ball {
    fn of(radius: f64) -> Self {
        // Factor and trimming, by radius, as ImageJ chooses them.
        let (shrink, trim_percent) = match radius {
            r if r <= 10.0 => (1, 24.0),
            r if r <= 30.0 => (2, 24.0),
            r if r <= 100.0 => (4, 32.0),
            _ => (8, 40.0),
        };
        let small = (radius / shrink as f64).max(1.0);
        let trim = (trim_percent * small / 100.0).floor();
        let half_width = (small - trim).round_ties_even() as usize;
        let side = -(half_width as i64)..=half_width as i64;
        let surface = side
            .clone()
            .flat_map(|y| side.clone().map(move |x| (x, y)))
            .map(|(x, y)| (small * small - (x * x) as f64 - (y * y) as f64).max(0.0).sqrt())
            .collect();
        Self { shrink, half_width, surface }
    }

    fn side(&self) -> usize {
        2 * self.half_width + 1
    }
}

/// The least value of each square; rest rows and columns at the far edges are left out.
fn shrunken(plane: &Plane, factor: usize) -> Plane {
    let (width, height) = ((plane.width / factor).max(1), (plane.height / factor).max(1));
    let mut values = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let rows = (y * factor..plane.height.min((y + 1) * factor)).map(|y| plane.row(y));
            let squares = rows.flat_map(|row| &row[x * factor..plane.width.min((x + 1) * factor)]);
            values.push(squares.copied().fold(f64::INFINITY, f64::min));
        }
    }
    Plane { width, height, values }
}

/// The highest surface of any ball that fits under the plane. Balls may stand outside the plane too, as long as a part is under it.
fn opened(plane: &Plane, ball: &Ball) -> Plane {
    let (half, side) = (ball.half_width, ball.side());
    // The balls' heights; the ball at (x, y) of this grid stands over pixel (x - half, y - half).
    let (width, height) = (plane.width + 2 * half, plane.height + 2 * half);
    let mut heights = vec![f64::INFINITY; width * height];
    let mut values = vec![f64::NEG_INFINITY; plane.values.len()];
    // A pixel and a ball are `offset - half` apart; both loops go over rows so that many pixels are done at once.
    for y in 0..height {
        let heights = &mut heights[y * width..][..width];
        for ball_y in y.saturating_sub(plane.height - 1).min(side)..side.min(y + 1) {
            // The ball's row under which plane row `y - ball_y` lies, counted from its far edge; it is symmetric.
            let pixels = plane.row(y - ball_y);
            for (ball_x, &surface) in ball.surface[ball_y * side..][..side].iter().enumerate() {
                for (height, &pixel) in heights[ball_x..].iter_mut().zip(pixels) {
                    let reduced = pixel - surface;
                    *height = if reduced < *height { reduced } else { *height };
                }
            }
        }
    }
    for y in 0..plane.height {
        let values = &mut values[y * plane.width..][..plane.width];
        for ball_y in 0..side {
            let heights = &heights[(y + ball_y) * width..][..width];
            for (ball_x, &surface) in ball.surface[ball_y * side..][..side].iter().enumerate() {
                for (value, &height) in values.iter_mut().zip(&heights[ball_x..]) {
                    let top = height + surface;
                    *value = if top > *value { top } else { *value };
                }
            }
        }
    }
    Plane { width: plane.width, height: plane.height, values }
}

/// Two neighbours to interpolate between, and the weight of the first.
struct Between {
    first: usize,
    second: usize,
    weight: f64,
}

fn between(length: usize, small_length: usize, factor: usize) -> Vec<Between> {
    let factor = factor as f64;
    let last_pair = small_length.saturating_sub(2);
    (0..length)
        .map(|i| {
            // The cast rounds a negative towards zero.
            let first = (((i as f64 - factor / 2.0) / factor) as usize).min(last_pair);
            let distance = (i as f64 + 0.5) / factor - (first as f64 + 0.5);
            Between { first, second: (first + 1).min(small_length - 1), weight: 1.0 - distance }
        })
        .collect()
}

fn enlarged(small: &Plane, width: usize, height: usize, factor: usize) -> Plane {
    let columns = between(width, small.width, factor);
    let row = |y: usize| -> Vec<f64> {
        let row = small.row(y);
        columns.iter().map(|at| row[at.first] * at.weight + row[at.second] * (1.0 - at.weight)).collect()
    };
    let mut values = Vec::with_capacity(width * height);
    for at in between(height, small.height, factor) {
        let (first, second) = (row(at.first), row(at.second));
        values.extend(first.iter().zip(&second).map(|(a, b)| a * at.weight + b * (1.0 - at.weight)));
    }
    Plane { width, height, values }
}
