//! Generated images, against the committed hashes of what scikit-image and opencv-rolling-ball make of them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise, in its helpers too")]

mod common;

use rolling_ball::{Kernel, Method, Nan, Settings, background_under, remove};

/// Larger cases (in pixels times the radius squared) are left to the fast way unless the compiler optimises: the textbook
/// would take minutes.
const DIRECT_MAX: f64 = 5e7;

#[derive(serde::Deserialize)]
struct Case {
    kind: String,
    width: usize,
    height: usize,
    dtype: String,
    seed: u32,
    radius: Option<f64>,
    #[serde(default)]
    nansafe: bool,
    kernel_width: Option<usize>,
    kernel_height: Option<usize>,
    intensity: Option<f64>,
    imagej_light: Option<bool>,
    input: String,
    background: String,
    result: Option<String>,
}

impl Case {
    fn kernel(&self) -> Kernel {
        match (self.radius, self.kernel_width, self.kernel_height, self.intensity) {
            (Some(radius), ..) => Kernel::ball(radius).unwrap(),
            (None, Some(width), Some(height), Some(intensity)) => {
                Kernel::Ellipsoid { width, height, intensity }
            }
            _ => panic!("a case has a radius or an ellipsoid"),
        }
    }

    fn check(&self) {
        let about =
            format!("{} {}x{} {} {:?}", self.kind, self.width, self.height, self.dtype, self.kernel());
        let image = common::generated(&self.kind, self.width, self.height, self.seed, &self.dtype);
        assert_eq!(image.pixels_sha256(), self.input, "the generators differ: {about}");
        if let Some(light_background) = self.imagej_light {
            let settings =
                Settings { radius: self.radius.unwrap(), method: Method::ImageJ, light_background };
            let removal = remove(&image, &settings).unwrap();
            assert_eq!(removal.background.pixels_sha256(), self.background, "background {about}");
            assert_eq!(Some(removal.result.pixels_sha256()), self.result, "result {about}");
            return;
        }
        let nan = if self.nansafe { Nan::Spreads } else { Nan::Ignored };
        let quick = !cfg!(debug_assertions)
            || self
                .radius
                .is_none_or(|radius| self.width as f64 * self.height as f64 * radius * radius < DIRECT_MAX);
        for direct in [false, true].into_iter().filter(|direct| quick || !direct) {
            let rolled = background_under(&image, &self.kernel(), direct, nan);
            assert_eq!(rolled.pixels_sha256(), self.background, "direct {direct} {about}");
        }
    }
}

fn check_all(wanted: impl Fn(&Case) -> bool, least: usize) {
    let cases: Vec<Case> = serde_json::from_str(include_str!("hashes.json")).unwrap();
    let cases: Vec<_> = cases.into_iter().filter(wanted).collect();
    assert!(cases.len() >= least, "{} cases", cases.len());
    cases.iter().for_each(Case::check);
}

#[test]
fn whole_numbers_equal_scikit_image() {
    check_all(
        |case| case.imagej_light.is_none() && case.intensity.is_none() && case.dtype.starts_with("uint"),
        50,
    );
}

#[test]
fn floating_point_equals_scikit_image() {
    check_all(
        |case| case.imagej_light.is_none() && case.intensity.is_none() && case.dtype.starts_with("float"),
        40,
    );
}

#[test]
fn ellipsoids_equal_scikit_image() {
    check_all(|case| case.intensity.is_some(), 12);
}

#[test]
fn imagej_equals_its_port() {
    check_all(|case| case.imagej_light.is_some(), 30);
}
