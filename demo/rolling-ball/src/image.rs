//! Images in memory: a size, a layout of channels, samples of one of four types. No files, no arithmetic.

use sha2::{Digest, Sha256};

use crate::Error;

/// The channels of a pixel, in the order in which they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One channel.
    Grey,
    /// Grey and opacity.
    GreyAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, opacity.
    Rgba,
}

impl Layout {
    /// Samples a pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// How many channels, from the first, hold light rather than opacity.
    pub fn colours(self) -> usize {
        match self {
            Self::Grey | Self::GreyAlpha => 1,
            Self::Rgb | Self::Rgba => 3,
        }
    }
}

/// All samples, row by row, the channels of a pixel side by side.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// 8-bit.
    U8(Vec<u8>),
    /// 16-bit.
    U16(Vec<u16>),
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

impl Samples {
    fn len(&self) -> usize {
        match self {
            Self::U8(samples) => samples.len(),
            Self::U16(samples) => samples.len(),
            Self::F32(samples) => samples.len(),
            Self::F64(samples) => samples.len(),
        }
    }

    /// The type of a sample in words.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::U8(_) => "8-bit",
            Self::U16(_) => "16-bit",
            Self::F32(_) => "32-bit floating point",
            Self::F64(_) => "64-bit floating point",
        }
    }
}

/// An image of at least one pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    width: usize,
    height: usize,
    layout: Layout,
    samples: Samples,
}

impl Image {
    /// An image of that size; the samples must be as many as it needs.
    pub fn new(width: usize, height: usize, layout: Layout, samples: Samples) -> Result<Self, Error> {
        let channels = layout.channels();
        let needed = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(channels));
        if width == 0 || height == 0 || needed != Some(samples.len()) {
            return Err(Error::Size { width, height, channels, samples: samples.len() });
        }
        Ok(Self { width, height, layout, samples })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The channels of a pixel.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// All samples.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The same image with other samples, which are as many and may be of another type.
    pub(crate) fn with(&self, samples: Samples) -> Self {
        assert_eq!(samples.len(), self.samples.len(), "an image's samples are replaced by as many");
        Self { samples, ..*self }
    }

    /// The SHA-256, in hexadecimal, of the samples' little-endian bytes: equal for equal pixels, whatever file they are in.
    pub fn pixels_sha256(&self) -> String {
        let mut hash = Sha256::new();
        match &self.samples {
            Samples::U8(samples) => hash.update(samples),
            Samples::U16(samples) => samples.iter().for_each(|sample| hash.update(sample.to_le_bytes())),
            Samples::F32(samples) => samples.iter().for_each(|sample| hash.update(sample.to_le_bytes())),
            Samples::F64(samples) => samples.iter().for_each(|sample| hash.update(sample.to_le_bytes())),
        }
        hex::encode(hash.finalize())
    }
}
