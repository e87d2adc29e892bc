//! The rolling ball: removes an uneven background from an image.
//!
//! A ball rolls under the image, seen as a landscape; the height of its apex is the background, and the image less
//! the background is the result. Three methods: `direct` is the textbook, O(pixels · radius²); `fast` gives the same
//! bytes at a cost that hardly depends on the radius; `imagej` is ImageJ's older algorithm of the same name, with
//! results of its own. `direct` and `fast` equal scikit-image's `restoration.rolling_ball` to the last bit.
//!
//! ```text
//!   png ──► Image ──► remove ──┬─ direct                 textbook sums
//!                              ├─ levels ◄ cover, reach  fast: 8 and 16 bits, a ball
//!                              ├─ pruned                 fast: everything else
//!                              └─ imagej
//! ```
//!
//! The library knows no network and no clock but the one that [`calibrate`] reads; the Lambda function and the
//! command around it are in the program of the same name.

mod calibrate;
mod cover;
mod direct;
mod error;
mod image;
mod imagej;
mod kernel;
mod lanes;
mod levels;
mod png_file;
mod pruned;
mod reach;
mod sample;

pub use calibrate::{Calibration, calibrate, cpu_time};
pub use direct::Nan;
pub use error::Error;
pub use image::{Image, Layout, Samples};
pub use kernel::{Kernel, RADIUS_MAX};
pub use png_file::{PIXELS_MAX, decode_png, encode_png};
pub use sample::generate_sample;

use kernel::Float;
use lanes::Lane;
use levels::Levels;

/// How the background is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The textbook: every pixel under the ball, for every pixel.
    Direct,
    /// The same result, sooner.
    #[default]
    Fast,
    /// ImageJ's algorithm, for 8-bit images.
    ImageJ,
}

impl Method {
    /// The method's name in requests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fast => "fast",
            Self::ImageJ => "imagej",
        }
    }
}

impl std::str::FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        [Self::Direct, Self::Fast, Self::ImageJ]
            .into_iter()
            .find(|method| method.name() == name)
            .ok_or_else(|| Error::UnknownMethod(name.to_owned()))
    }
}

/// What to remove, and how.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The radius of the ball, in pixels and grey levels.
    pub radius: f64,
    /// How it is computed.
    pub method: Method,
    /// The background is lighter than what stands on it: the ball rolls on top of the landscape, and the result is
    /// white where nothing is.
    pub light_background: bool,
}

/// An image taken apart. Opacity, if there is any, is in both parts.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The ball's surface.
    pub background: Image,
    /// The image without it.
    pub result: Image,
}

/// The background of a dark image: each colour channel by itself, opacity as it is.
pub fn background(image: &Image, radius: f64, method: Method) -> Result<Image, Error> {
    Ok(remove(image, &Settings { radius, method, light_background: false })?.background)
}

/// The image less its background.
pub fn subtract(image: &Image, radius: f64, method: Method) -> Result<Image, Error> {
    Ok(remove(image, &Settings { radius, method, light_background: false })?.result)
}

/// Takes an image apart into its background and the rest.
pub fn remove(image: &Image, settings: &Settings) -> Result<Removal, Error> {
    let kernel = Kernel::ball(settings.radius)?;
    if settings.method == Method::ImageJ {
        return remove_imagej(image, settings);
    }
    let upright = if settings.light_background { inverted(image) } else { image.clone() };
    let rolled = background_under(&upright, &kernel, settings.method == Method::Direct, Nan::Ignored);
    let background = if settings.light_background { inverted(&rolled) } else { rolled };
    let result = difference(image, &background, settings.light_background);
    Ok(Removal { background, result })
}

/// The background by a shape of one's own, scikit-image's semantics; `direct` chooses the textbook way to the same result.
pub fn background_under(image: &Image, kernel: &Kernel, direct: bool, nan: Nan) -> Image {
    let width = image.width();
    let samples = match image.samples() {
        Samples::U8(samples) => {
            Samples::U8(by_channel(image, samples, |channel| whole(channel, width, kernel, direct)))
        }
        Samples::U16(samples) => {
            Samples::U16(by_channel(image, samples, |channel| whole(channel, width, kernel, direct)))
        }
        Samples::F32(samples) => Samples::F32(floating(image, samples, kernel, direct, nan)),
        Samples::F64(samples) => Samples::F64(floating(image, samples, kernel, direct, nan)),
    };
    image.with(samples)
}

fn floating<F: Float>(image: &Image, samples: &[F], kernel: &Kernel, direct: bool, nan: Nan) -> Vec<F> {
    let table = kernel.table(image.width(), image.height());
    by_channel(image, samples, |channel| {
        // Only the textbook way knows where a result is "not a number".
        let spreads = nan == Nan::Spreads && channel.iter().any(|sample| !sample.is_finite());
        if direct || spreads {
            direct::background(channel, image.width(), &table, nan)
        } else {
            pruned::background(channel, image.width(), &table)
        }
    })
}

/// One channel of whole numbers.
fn whole<L: Lane>(channel: &[L], width: usize, kernel: &Kernel, direct: bool) -> Vec<L> {
    let height = channel.len() / width;
    if !direct {
        let samples = || channel.iter().map(|&sample| -> u32 { sample.into() });
        let contrast = samples().max().unwrap_or(0) - samples().min().unwrap_or(0);
        if let Some(levels) = Levels::of(kernel, (width, height), contrast) {
            return levels::background(channel, width, height, &levels);
        }
    }
    let table = kernel.table::<f64>(width, height);
    let exact: Vec<f64> = channel.iter().map(|&sample| f64::from(sample.into())).collect();
    let rolled = if direct {
        direct::background(&exact, width, &table, Nan::Ignored)
    } else {
        pruned::background(&exact, width, &table)
    };
    // The sum at the apex is the sample itself, so no result is beyond the sample type.
    rolled.into_iter().map(|value| L::saturated(value as u32)).collect()
}

fn remove_imagej(image: &Image, settings: &Settings) -> Result<Removal, Error> {
    let Samples::U8(samples) = image.samples() else {
        return Err(Error::NotEightBit(image.samples().type_name()));
    };
    let open =
        |channel: &[u8]| imagej::open(channel, image.width(), settings.radius, settings.light_background);
    let mut results = Vec::new();
    let background = by_channel(image, samples, |channel| {
        let opened = open(channel);
        results.push(opened.result);
        opened.background
    });
    let mut results = results.into_iter();
    let result =
        by_channel(image, samples, |_| results.next().expect("there are as many channels as before"));
    Ok(Removal { background: image.with(Samples::U8(background)), result: image.with(Samples::U8(result)) })
}

/// Replaces each colour channel by what is computed from it.
fn by_channel<T: Copy>(image: &Image, samples: &[T], mut compute: impl FnMut(&[T]) -> Vec<T>) -> Vec<T> {
    let channels = image.layout().channels();
    if channels == 1 {
        return compute(samples);
    }
    let mut out = samples.to_vec();
    for channel in 0..image.layout().colours() {
        let plane: Vec<T> = samples.iter().skip(channel).step_by(channels).copied().collect();
        for (sample, value) in out.iter_mut().skip(channel).step_by(channels).zip(compute(&plane)) {
            *sample = value;
        }
    }
    out
}

/// Light for dark; opacity stays.
fn inverted(image: &Image) -> Image {
    image.with(match image.samples() {
        Samples::U8(s) => Samples::U8(by_channel(image, s, |c| c.iter().map(|v| u8::MAX - v).collect())),
        Samples::U16(s) => Samples::U16(by_channel(image, s, |c| c.iter().map(|v| u16::MAX - v).collect())),
        Samples::F32(s) => Samples::F32(by_channel(image, s, |c| c.iter().map(|v| -v).collect())),
        Samples::F64(s) => Samples::F64(by_channel(image, s, |c| c.iter().map(|v| -v).collect())),
    })
}

/// The image less its background; on a light background, counted down from white, which for floating-point samples is 0.
fn difference(image: &Image, background: &Image, light_background: bool) -> Image {
    macro_rules! less {
        ($kind:ident, $image:expr, $background:expr, $white:expr) => {
            Samples::$kind(pairwise(image, $image, $background, |sample, background| {
                if light_background { $white - (background - sample) } else { sample - background }
            }))
        };
    }
    image.with(match (image.samples(), background.samples()) {
        (Samples::U8(a), Samples::U8(b)) => less!(U8, a, b, u8::MAX),
        (Samples::U16(a), Samples::U16(b)) => less!(U16, a, b, u16::MAX),
        (Samples::F32(a), Samples::F32(b)) => less!(F32, a, b, 0.0),
        (Samples::F64(a), Samples::F64(b)) => less!(F64, a, b, 0.0),
        _ => unreachable!("a background has its image's sample type"),
    })
}

fn pairwise<T: Copy>(image: &Image, a: &[T], b: &[T], join: impl Fn(T, T) -> T) -> Vec<T> {
    let (channels, colours) = (image.layout().channels(), image.layout().colours());
    let pairs = a.iter().zip(b).enumerate();
    pairs.map(|(i, (&a, &b))| if i % channels < colours { join(a, b) } else { a }).collect()
}
