//! What can be wrong with an image or a request for its background. Input and output have their own errors.

/// Why no background was computed, or no image read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The radius is not one.
    #[error("radius is {0}; it must be above 0 and at most 1000000 pixels")]
    Radius(f64),
    /// An image without pixels, or with more or fewer samples than its size says.
    #[error("the image has {samples} samples; {width} x {height} pixels of {channels} channels need {}", width * height * channels)]
    Size {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Samples a pixel.
        channels: usize,
        /// Samples given.
        samples: usize,
    },
    /// ImageJ's method is defined for 8-bit samples.
    #[error("method imagej needs 8-bit samples and these are {0}; use method fast, or convert the image")]
    NotEightBit(&'static str),
    /// A method that does not exist.
    #[error("method is {0:?}; it must be \"fast\", \"direct\" or \"imagej\"")]
    UnknownMethod(String),
    /// The bytes are no PNG file that can be read.
    #[error("the image cannot be decoded: {0}; give a PNG file")]
    Decode(String),
    /// The decoded image would not fit.
    #[error("the image is {width} x {height} pixels; at most {max} are read")]
    TooLarge {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The limit, in pixels.
        max: usize,
    },
    /// The image cannot be a PNG file.
    #[error("the image cannot be written as PNG: {0}")]
    Encode(String),
}
