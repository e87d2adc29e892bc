//! PNG files to images and back, by the `png` crate. Small sample sizes and palettes are expanded to 8 bits.

use std::io::Cursor;

use crate::{Error, Image, Layout, Samples};

/// The largest image read, in pixels: four channels of 16 bits with all working copies stay below the largest
/// memory a Lambda function can have (10 GB), and a small file that claims to be huge is refused before it is unpacked.
pub const PIXELS_MAX: usize = 1 << 28;

/// The image in a PNG file.
pub fn decode_png(bytes: &[u8]) -> Result<Image, Error> {
    let undecodable = |error: png::DecodingError| Error::Decode(error.to_string());
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return Err(Error::Decode("it is a JPEG file".to_owned()));
    }
    // The pixels are bounded below; this bounds everything else in the file.
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: PIXELS_MAX });
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(undecodable)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width.checked_mul(height).is_none_or(|pixels| pixels > PIXELS_MAX) {
        return Err(Error::TooLarge { width, height, max: PIXELS_MAX });
    }
    let size = reader.output_buffer_size().ok_or(Error::TooLarge { width, height, max: PIXELS_MAX })?;
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer).map_err(undecodable)?;
    buffer.truncate(frame.buffer_size());
    let layout = match frame.color_type {
        png::ColorType::Grayscale => Layout::Grey,
        png::ColorType::GrayscaleAlpha => Layout::GreyAlpha,
        png::ColorType::Rgb => Layout::Rgb,
        png::ColorType::Rgba => Layout::Rgba,
        png::ColorType::Indexed => return Err(Error::Decode("the palette was not expanded".to_owned())),
    };
    let samples = match frame.bit_depth {
        png::BitDepth::Eight => Samples::U8(buffer),
        png::BitDepth::Sixteen => {
            Samples::U16(buffer.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
        }
        depth => return Err(Error::Decode(format!("samples of {depth:?} bits were not expanded"))),
    };
    Image::new(width, height, layout, samples)
}

/// A PNG file of an 8- or 16-bit image.
pub fn encode_png(image: &Image) -> Result<Vec<u8>, Error> {
    let unwritable = |error: png::EncodingError| Error::Encode(error.to_string());
    let side = |length: usize| {
        u32::try_from(length).map_err(|_| Error::Encode(format!("a side of {length} pixels")))
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(image.width())?, side(image.height())?);
    encoder.set_color(match image.layout() {
        Layout::Grey => png::ColorType::Grayscale,
        Layout::GreyAlpha => png::ColorType::GrayscaleAlpha,
        Layout::Rgb => png::ColorType::Rgb,
        Layout::Rgba => png::ColorType::Rgba,
    });
    match image.samples() {
        Samples::U8(samples) => {
            encoder.set_depth(png::BitDepth::Eight);
            encoder
                .write_header()
                .and_then(|mut writer| writer.write_image_data(samples))
                .map_err(unwritable)?;
        }
        Samples::U16(samples) => {
            encoder.set_depth(png::BitDepth::Sixteen);
            let big_endian: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
            encoder
                .write_header()
                .and_then(|mut writer| writer.write_image_data(&big_endian))
                .map_err(unwritable)?;
        }
        samples => return Err(Error::Encode(format!("its samples are {}", samples.type_name()))),
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_and_depth_survives_a_round_trip() {
        for layout in [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba] {
            let count = 6 * layout.channels();
            let eight = Samples::U8((0..count).map(|i| (i * 37 % 256) as u8).collect());
            let sixteen = Samples::U16((0..count).map(|i| (i * 9973 % 65536) as u16).collect());
            for samples in [eight, sixteen] {
                let image = Image::new(3, 2, layout, samples).unwrap();
                assert_eq!(decode_png(&encode_png(&image).unwrap()).unwrap(), image);
            }
        }
    }

    #[test]
    fn what_is_no_png_is_refused_with_a_reason() {
        let good = encode_png(&crate::generate_sample(20, 10, 1)).unwrap();
        for (bytes, reason) in [
            (&b""[..], "decoded"),
            (b"hello", "decoded"),
            (&[0xff, 0xd8, 0xff, 0xe0], "JPEG"),
            (&good[..good.len() / 2], "decoded"),
        ] {
            let error = decode_png(bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn an_image_that_claims_to_be_huge_is_refused_before_it_is_unpacked() {
        let mut bytes = Vec::new();
        let encoder = png::Encoder::new(&mut bytes, 1 << 20, 1 << 20);
        encoder.write_header().unwrap().write_chunk(png::chunk::IDAT, &[0x78, 0x9c]).unwrap();
        assert!(matches!(decode_png(&bytes), Err(Error::TooLarge { .. })));
    }
}
