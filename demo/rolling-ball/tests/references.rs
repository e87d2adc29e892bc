//! Real images, against references made by scikit-image and opencv-rolling-ball, where their folder is at hand.
//!
//! The folder is `ROLLING_BALL_REFERENCES`, or `shared/rolling-ball` next to the workspace. Without it the test says that it
//! was skipped; what the project must never lose is in `hashes.rs`, which needs no folder.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise, in its helpers too")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rolling_ball::{
    Image, Kernel, Layout, Method, Nan, Samples, Settings, background_under, decode_png, encode_png, remove,
};

/// As in `hashes.rs`.
const DIRECT_MAX: f64 = 5e7;

#[derive(serde::Deserialize)]
struct Manifest {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    algo: String,
    input: Input,
    params: Params,
    output: String,
    sha256: String,
}

#[derive(serde::Deserialize)]
struct Input {
    file: String,
    sha256: String,
}

#[derive(serde::Deserialize)]
struct Params {
    radius: Option<f64>,
    light: Option<u8>,
    kernel_shape: Option<[usize; 2]>,
    intensity: Option<f64>,
}

#[test]
fn every_reference_is_met() {
    let folder = std::env::var_os("ROLLING_BALL_REFERENCES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/rolling-ball"),
        PathBuf::from,
    );
    let Ok(manifest) = std::fs::read(folder.join("manifest.json")) else {
        println!("skipped: there is no {}", folder.join("manifest.json").display());
        return;
    };
    let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
    let mut met = BTreeMap::new();
    for case in &manifest.cases {
        check(&folder, case);
        *met.entry(&case.algo).or_insert(0) += 1;
    }
    println!("references met: {met:?}");
    assert!(!manifest.cases.is_empty());
}

fn check(folder: &Path, case: &Case) {
    let input = read(&folder.join(&case.input.file));
    assert_eq!(input.pixels_sha256(), case.input.sha256, "{} was read wrongly", case.input.file);
    let outcomes = outcomes(&input, case);
    let wanted = read(&folder.join(&case.output));
    for (way, outcome) in &outcomes {
        assert_eq!(outcome.pixels_sha256(), case.sha256, "{way} differs from {}", case.output);
        if case.output.ends_with(".png") {
            assert_eq!(
                decode_png(&encode_png(outcome).unwrap()).unwrap(),
                wanted,
                "{way} as PNG, {}",
                case.output
            );
        }
    }
    assert!(!outcomes.is_empty());
}

/// What we make of the input, by each way that the case is about.
fn outcomes(input: &Image, case: &Case) -> Vec<(&'static str, Image)> {
    if case.algo.starts_with("imagej") {
        let light_background = case.params.light == Some(1);
        let settings =
            Settings { radius: case.params.radius.unwrap(), method: Method::ImageJ, light_background };
        let removal = remove(input, &settings).unwrap();
        let is_result = case.algo == "imagej_result";
        return vec![("imagej", if is_result { removal.result } else { removal.background })];
    }
    let kernel = match case.params.kernel_shape {
        Some([height, width]) => {
            Kernel::Ellipsoid { width, height, intensity: case.params.intensity.unwrap() }
        }
        None => Kernel::ball(case.params.radius.unwrap()).unwrap(),
    };
    let nan = if case.algo == "skimage_nansafe" { Nan::Spreads } else { Nan::Ignored };
    let radius = case.params.radius.unwrap_or(50.0);
    let quick =
        !cfg!(debug_assertions) || (input.width() * input.height()) as f64 * radius * radius < DIRECT_MAX;
    let ways = [("fast", false), ("direct", true)].into_iter().filter(|(_, direct)| quick || !direct);
    ways.map(|(way, direct)| (way, background_under(input, &kernel, direct, nan))).collect()
}

fn read(file: &Path) -> Image {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if file.extension().is_some_and(|extension| extension == "png") {
        decode_png(&bytes).unwrap()
    } else {
        npy(&bytes)
    }
}

/// A two-dimensional little-endian array of NumPy's format, version 1.
fn npy(bytes: &[u8]) -> Image {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    let after = |mark: &str| header.split_once(mark).unwrap().1;
    assert!(after("'fortran_order': ").starts_with("False"));
    let (shape, _) = after("'shape': (").split_once(')').unwrap();
    let sides: Vec<usize> = shape.split(',').map(|side| side.trim().parse().unwrap()).collect();
    let data = &bytes[end..];
    let samples = match &after("'descr': '")[..3] {
        "|u1" => Samples::U8(data.to_vec()),
        "<u2" => {
            Samples::U16(data.chunks_exact(2).map(|b| u16::from_le_bytes(b.try_into().unwrap())).collect())
        }
        "<f4" => {
            Samples::F32(data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
        }
        "<f8" => {
            Samples::F64(data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect())
        }
        other => panic!("sample type {other}"),
    };
    Image::new(sides[1], sides[0], Layout::Grey, samples).unwrap()
}
