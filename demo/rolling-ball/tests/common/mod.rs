//! Images that the tests make by themselves, the same ones as `make_hashes.py`.

use rolling_ball::{Image, Layout, Samples};

/// An image by kind, size, seed and sample type.
pub(crate) fn generated(kind: &str, width: usize, height: usize, seed: u32, dtype: &str) -> Image {
    let mut state = seed;
    let mut values = Vec::new();
    for y in 0..height {
        for x in 0..width {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = state >> 16;
            let wave = ((2 * x + y) % 510).abs_diff(255) as u32;
            values.push(match kind {
                "noise" => random,
                "ramp" => (wave * 256 + (random >> 4)).min(65535),
                "low" => 12800 + (random >> 5) + x as u32 * 16,
                "flat" => 77 * 256,
                "bright" => {
                    if random > 300 {
                        65535
                    } else {
                        64000
                    }
                }
                other => panic!("no kind {other:?}"),
            });
        }
    }
    let sevenths =
        |i: usize| if kind == "noise" && matches!(i % 97, 0) { f64::NAN } else { f64::from(values[i]) / 7.0 };
    let samples = match dtype {
        "uint8" => Samples::U8(values.iter().map(|value| (value >> 8) as u8).collect()),
        "uint16" => Samples::U16(values.iter().map(|&value| value as u16).collect()),
        "float32" => Samples::F32((0..values.len()).map(|i| sevenths(i) as f32).collect()),
        "float64" => Samples::F64((0..values.len()).map(sevenths).collect()),
        other => panic!("no sample type {other:?}"),
    };
    Image::new(width, height, Layout::Grey, samples).unwrap()
}
