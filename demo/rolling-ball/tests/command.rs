//! The program as a command on files.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise, in its helpers too")]

use std::path::Path;
use std::process::{Command, Output};

use rolling_ball::{Method, Settings, background, decode_png, encode_png, generate_sample, remove};

fn run(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolling-ball"));
    command.args(arguments).current_dir(folder).env_remove("AWS_LAMBDA_RUNTIME_API").output().unwrap()
}

#[test]
fn a_file_becomes_another() {
    let folder = tempfile::tempdir().unwrap();
    let image = generate_sample(70, 60, 9);
    std::fs::write(folder.path().join("in.png"), encode_png(&image).unwrap()).unwrap();
    let light = |method| Settings { radius: 12.5, method, light_background: true };
    for (arguments, expected) in [
        (vec!["--radius", "12.5", "--background"], background(&image, 12.5, Method::Fast).unwrap()),
        (
            vec!["--radius=12.5", "--method", "direct", "--background"],
            background(&image, 12.5, Method::Fast).unwrap(),
        ),
        (
            vec!["--radius", "12.5", "--light-background"],
            remove(&image, &light(Method::Fast)).unwrap().result,
        ),
        (
            vec!["--radius", "12.5", "--light-background", "--method", "imagej"],
            remove(&image, &light(Method::ImageJ)).unwrap().result,
        ),
    ] {
        let output = run(&[vec!["in.png", "out.png"], arguments.clone()].concat(), folder.path());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let written = decode_png(&std::fs::read(folder.path().join("out.png")).unwrap()).unwrap();
        assert_eq!(written, expected, "{arguments:?}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["pixels_sha256"], expected.pixels_sha256());
    }
}

#[test]
fn mistakes_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.png"), "no picture").unwrap();
    for (arguments, says) in [
        (vec![], "--radius is missing"),
        (vec!["--radius", "5"], "two files"),
        (vec!["a.png", "b.png", "--radius", "x"], "invalid"),
        (vec!["a.png", "b.png", "--radius", "5", "--method", "slow"], "\"fast\""),
        (vec!["a.png", "b.png", "--radius", "5"], "a.png"),
        (vec!["text.png", "b.png", "--radius", "5"], "text.png"),
        (vec!["--colour"], "--colour"),
    ] {
        let output = run(&arguments, folder.path());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && message.contains(says), "{arguments:?}: {message}");
    }
}

#[test]
fn calibration_prints_a_number() {
    let output = run(&["--calibrate"], Path::new("."));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["ns_per_pixel_element"].as_f64().unwrap() > 0.0);
}
