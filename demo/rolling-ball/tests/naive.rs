//! `fast` and `direct` against an implementation with nothing clever in it, and what both do with colour, light
//! backgrounds and odd requests.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise, in its helpers too")]

mod common;

use common::generated;
use rolling_ball::{
    Error, Image, Layout, Method, Samples, Settings, background, generate_sample, remove, subtract,
};

/// The definition, for 8-bit images: over every pixel, every other pixel.
fn naive(image: &Image, radius: f64) -> Vec<u8> {
    let Samples::U8(samples) = image.samples() else { panic!("8-bit") };
    let (width, height) = (image.width() as i64, image.height() as i64);
    let mut out = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let mut least = f64::INFINITY;
            for other_y in 0..height {
                for other_x in 0..width {
                    let square = ((other_x - x).pow(2) + (other_y - y).pow(2)) as f64;
                    if square.sqrt() <= radius {
                        let sample = f64::from(samples[(other_y * width + other_x) as usize]);
                        least = least.min(sample + (radius - (radius * radius - square).max(0.0).sqrt()));
                    }
                }
            }
            out.push(least as u8);
        }
    }
    out
}

fn check(image: &Image, radius: f64) {
    let naive =
        Image::new(image.width(), image.height(), Layout::Grey, Samples::U8(naive(image, radius))).unwrap();
    for method in [Method::Fast, Method::Direct] {
        let rolled = background(image, radius, method).unwrap();
        assert!(rolled == naive, "{} at {radius} on {} x {}", method.name(), image.width(), image.height());
    }
}

#[test]
fn both_ways_are_the_definition() {
    let mut seed = 100;
    for kind in ["noise", "ramp", "low", "flat", "bright"] {
        for (width, height) in [(1, 1), (1, 37), (41, 1), (17, 16), (33, 47)] {
            for radius in [0.3, 1.0, 2.5, 8.0, 16.0, 29.7, 100.0, 5000.0] {
                seed += 1;
                check(&generated(kind, width, height, seed, "uint8"), radius);
            }
        }
    }
}

#[test]
fn extreme_samples_stay_in_range() {
    for value in [0, 255] {
        for radius in [1.0, 10.0, 400.0] {
            check(&Image::new(20, 15, Layout::Grey, Samples::U8(vec![value; 300])).unwrap(), radius);
        }
    }
    // One dark pixel shows the whole ball, up to saturation.
    for radius in [60.0, 255.0, 300.0] {
        let mut samples = vec![255; 70 * 40];
        samples[20 * 70 + 9] = 0;
        check(&Image::new(70, 40, Layout::Grey, Samples::U8(samples)).unwrap(), radius);
    }
}

#[test]
fn both_ways_agree_across_tiles() {
    // Wider and higher than a tile of the level method, and a last tile of one column.
    for (kind, width, height, radius) in
        [("noise", 513, 520, 6.0), ("ramp", 1025, 40, 9.0), ("low", 530, 515, 5.0)]
    {
        for dtype in ["uint8", "uint16"] {
            let image = generated(kind, width, height, 5, dtype);
            let fast = background(&image, radius, Method::Fast).unwrap();
            assert!(fast == background(&image, radius, Method::Direct).unwrap(), "{kind} {dtype}");
        }
    }
}

#[test]
fn the_result_is_the_image_less_the_background() {
    let image = generate_sample(60, 50, 3);
    let (Samples::U8(samples), Samples::U8(floor), Samples::U8(rest)) = (
        image.samples().clone(),
        background(&image, 20.0, Method::Fast).unwrap().samples().clone(),
        subtract(&image, 20.0, Method::Fast).unwrap().samples().clone(),
    ) else {
        panic!("8-bit")
    };
    for i in 0..samples.len() {
        assert_eq!(u16::from(samples[i]), u16::from(floor[i]) + u16::from(rest[i]));
    }
}

#[test]
fn a_light_background_is_a_dark_one_upside_down() {
    let dark = generate_sample(60, 50, 4);
    let Samples::U8(samples) = dark.samples() else { panic!("8-bit") };
    let inverted = |image: &Image| {
        let Samples::U8(samples) = image.samples() else { panic!("8-bit") };
        let samples = samples.iter().map(|sample| 255 - sample).collect();
        Image::new(image.width(), image.height(), Layout::Grey, Samples::U8(samples)).unwrap()
    };
    assert!(samples.iter().any(|sample| *sample != samples[0]));
    for method in [Method::Fast, Method::Direct] {
        let settings = |light_background| Settings { radius: 15.0, method, light_background };
        let upright = remove(&dark, &settings(false)).unwrap();
        let upside_down = remove(&inverted(&dark), &settings(true)).unwrap();
        assert_eq!(inverted(&upside_down.background), upright.background);
        assert_eq!(inverted(&upside_down.result), upright.result);
    }
}

#[test]
fn each_colour_is_done_by_itself_and_opacity_is_kept() {
    let planes: Vec<Vec<u8>> = (0..4)
        .map(|seed| {
            let Samples::U8(samples) = generated("noise", 30, 20, seed, "uint8").samples().clone() else {
                panic!("8-bit")
            };
            samples
        })
        .collect();
    let mixed = (0..600).flat_map(|i| planes.iter().map(move |plane| plane[i])).collect();
    let image = Image::new(30, 20, Layout::Rgba, Samples::U8(mixed)).unwrap();
    for method in [Method::Fast, Method::Direct, Method::ImageJ] {
        let Samples::U8(rest) = subtract(&image, 7.0, method).unwrap().samples().clone() else {
            panic!("8-bit")
        };
        let channel = |channel: usize| -> Vec<u8> { rest.iter().skip(channel).step_by(4).copied().collect() };
        for (i, plane) in planes.iter().enumerate().take(3) {
            let alone = Image::new(30, 20, Layout::Grey, Samples::U8(plane.clone())).unwrap();
            assert_eq!(Samples::U8(channel(i)), *subtract(&alone, 7.0, method).unwrap().samples(), "{i}");
        }
        assert_eq!(channel(3), planes[3]);
    }
}

#[test]
fn imagej_takes_images_smaller_than_its_shrinking() {
    for (width, height) in [(1, 1), (1, 9), (3, 2), (7, 1), (8, 8), (15, 9)] {
        for radius in [5.0, 25.0, 80.0, 150.0] {
            let image = generated("flat", width, height, 1, "uint8");
            let settings = Settings { radius, method: Method::ImageJ, light_background: false };
            let removal = remove(&image, &settings).unwrap();
            assert_eq!(removal.background, image, "{width} x {height} at {radius}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let image = generate_sample(5, 5, 1);
    for radius in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        assert!(matches!(background(&image, radius, Method::Fast), Err(Error::Radius(_))), "{radius}");
    }
    let sixteen = generated("noise", 5, 5, 1, "uint16");
    assert!(matches!(background(&sixteen, 3.0, Method::ImageJ), Err(Error::NotEightBit("16-bit"))));
    assert!(matches!(
        Image::new(2, 2, Layout::Rgb, Samples::U8(vec![0; 4])),
        Err(Error::Size { samples: 4, .. })
    ));
    assert!(matches!(Image::new(0, 2, Layout::Grey, Samples::U8(vec![])), Err(Error::Size { .. })));
    assert!("slow".parse::<Method>().is_err());
}
