//! Prints the processor seconds of `direct` and `fast` on made-up images, and their ratio.
//!
//! `cargo run --release -p rolling-ball --example bench [-- --direct]`; without `--direct` the large images, which take
//! the textbook minutes, are left to a forecast by calibration (marked `~`).

use rolling_ball::{Image, Layout, Method, Samples, background, calibrate, cpu_time, generate_sample};

fn main() {
    let run_all = std::env::args().any(|argument| argument == "--direct");
    let calibration = calibrate();
    println!("direct: {:.3} ns per pixel and element", calibration.ns_per_pixel_element);
    println!(
        "{:<8} {:>5} {:>6} {:>12} {:>9} {:>8}",
        "image", "side", "radius", "direct s", "fast s", "ratio"
    );
    for (name, make) in [("cells", cells as fn(usize) -> Image), ("noise", noise), ("ramp", ramp)] {
        for (side, radius) in [(512, 50.0), (512, 100.0), (512, 200.0), (2048, 100.0), (2048, 200.0)] {
            let image = make(side);
            let (fast, fast_result) = timed(&image, radius, Method::Fast);
            let forecast = calibration.direct(side, side, radius).as_secs_f64();
            let measured = (run_all || side <= 512).then(|| timed(&image, radius, Method::Direct));
            let (mark, direct) = measured.as_ref().map_or(("~", forecast), |(seconds, _)| ("", *seconds));
            if let Some((_, direct_result)) = measured {
                assert!(direct_result == fast_result, "the methods differ on {name} {side} at {radius}");
            }
            println!(
                "{name:<8} {side:>5} {radius:>6} {:>12} {fast:>9.4} {:>8.0}",
                format!("{mark}{direct:.2}"),
                direct / fast
            );
        }
    }
}

fn timed(image: &Image, radius: f64, method: Method) -> (f64, Image) {
    let start = cpu_time();
    let rolled = background(image, radius, method).expect("the radius is in range");
    ((cpu_time() - start).as_secs_f64(), rolled)
}

fn cells(side: usize) -> Image {
    generate_sample(side, side, 1)
}

/// Every value as likely as any other.
fn noise(side: usize) -> Image {
    let mut state = 1u32;
    let samples = (0..side * side).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    grey(side, samples.collect())
}

/// The whole contrast within a few ball radii, with a little noise: the most levels.
fn ramp(side: usize) -> Image {
    let mut state = 1u32;
    let samples = (0..side * side).map(|i| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (x, y) = (i % side, i / side);
        let wave = ((x * 2 + y) % 510).abs_diff(255);
        wave.saturating_add((state >> 28) as usize).min(255) as u8
    });
    grey(side, samples.collect())
}

fn grey(side: usize, samples: Vec<u8>) -> Image {
    Image::new(side, side, Layout::Grey, Samples::U8(samples)).expect("there is one sample a pixel")
}
