//! The command: one file in, one file out, or a measurement.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rolling_ball::{Method, Removal, Settings, calibrate, cpu_time, decode_png, encode_png, remove};
use serde_json::json;

const HELP: &str = "\
Removes an uneven background from an image.

rolling-ball IN.png OUT.png --radius N [--method fast|direct|imagej] [--light-background] [--background]
rolling-ball --calibrate

  --radius N           the ball's radius in pixels
  --method M           fast (default), direct (the same result by the textbook), imagej
  --light-background   dark things on a light background
  --background         write the background instead of the image without it
  --calibrate          print what `direct` costs on this machine, as JSON

With AWS_LAMBDA_RUNTIME_API in the environment it is a Lambda function instead.";

/// Does what the arguments say; the first is the program's name.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString, IntoIter: 'static>) -> Result<(), String> {
    match Command::of(lexopt::Parser::from_iter(arguments)).map_err(|error| format!("{error}; try --help"))? {
        Command::Help => println!("{HELP}"),
        Command::Calibrate => {
            println!(
                "{}",
                json!({"ns_per_pixel_element": calibrate().ns_per_pixel_element, "method": "direct"})
            );
        }
        Command::Remove { files: [from, to], settings, background } => {
            println!("{}", remove_from_file(&from, &to, &settings, background)?);
        }
    }
    Ok(())
}

enum Command {
    Help,
    Calibrate,
    Remove { files: [PathBuf; 2], settings: Settings, background: bool },
}

impl Command {
    fn of(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let mut files = Vec::new();
        let mut radius = None;
        let mut settings = Settings { radius: 0.0, method: Method::default(), light_background: false };
        let mut background = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(Self::Help),
                Long("calibrate") => return Ok(Self::Calibrate),
                Long("radius") => radius = Some(parser.value()?.parse()?),
                Long("method") => settings.method = parser.value()?.parse()?,
                Long("light-background") => settings.light_background = true,
                Long("background") => background = true,
                Value(file) => files.push(PathBuf::from(file)),
                _ => return Err(argument.unexpected()),
            }
        }
        settings.radius = radius.ok_or("--radius is missing")?;
        let files = files.try_into().map_err(|_| "two files are needed, the image and the result")?;
        Ok(Self::Remove { files, settings, background })
    }
}

/// Returns a report as one line of JSON.
fn remove_from_file(from: &Path, to: &Path, settings: &Settings, background: bool) -> Result<String, String> {
    let about = |file: &Path, problem: String| format!("{}: {problem}", file.display());
    let bytes = std::fs::read(from).map_err(|error| about(from, error.to_string()))?;
    let image = decode_png(&bytes).map_err(|error| about(from, error.to_string()))?;
    let start = cpu_time();
    let removal: Removal = remove(&image, settings).map_err(|error| about(from, error.to_string()))?;
    let cpu_ms = (cpu_time() - start).as_millis() as u64;
    let written = if background { removal.background } else { removal.result };
    let bytes = encode_png(&written).map_err(|error| about(to, error.to_string()))?;
    std::fs::write(to, bytes).map_err(|error| about(to, error.to_string()))?;
    let report = json!({
        "width": written.width(),
        "height": written.height(),
        "radius": settings.radius,
        "method": settings.method.name(),
        "pixels_sha256": written.pixels_sha256(),
        "cpu_ms": cpu_ms,
    });
    Ok(report.to_string())
}
