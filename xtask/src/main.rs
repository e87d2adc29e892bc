//! `cargo xtask`: everything that CI runs, as one local command each.
//!
//! This file only chooses the command. It knows nothing of how a command works, and no command is reachable
//! in another way: what CI does, a developer can do, and the other way round.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

mod bench;
mod command;
mod compatibility;
mod conformance;
mod demo;
mod docker;
mod floor;
mod fuzz;
mod images;
mod jsonata;
mod lint;
mod npm;
mod python;
mod rust_client;
mod server;
mod shapes;
mod system;
mod tally;
mod test;
mod tidy;
mod workspace;

const USAGE: &str = "\
cargo xtask <command>

  test [--install] [--only STEP]...
                       run everything: formatting, lints, tidy, Rust tests, Python client tests, conformance,
                       the demo, fuzz targets.
                       --install lets it use the system's package manager (root; implied by CI=true);
                       STEP is one of lint, tidy, rust, python, conformance, demo, fuzz
  lint                 formatting and clippy, warnings denied
  tidy                 the rules of the design, checked on the source
  conformance [--update-floor] [run_cases.py's own arguments]
                       run the recorded AWS cases in ../shared/conformance against a fresh server
  jsonata [--update-floor]
                       run JSONata's official suite, and ours against jsonata-js (fetched by npm)
  compatibility [--run]
                       write docs/compatibility.md from the results of the last conformance and JSONata runs;
                       --run makes the conformance results first
  fuzz [--seconds N] [TARGET]...
                       run the fuzz targets of fuzz/, each for N seconds (60); a find is a file and fails the run
  bench [--json]       measure what states cost, counted in allocations and bytes
  shapes               write the shapes of AWS's outputs (crates/shapes/data) from the test environment's botocore
  images               build the static binaries, and the images FROM scratch where a Docker engine answers
  venv                 only set up target/xtask/venv, and print its Python
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` means that it ran to its end and found something wrong.
fn run(arguments: &[String]) -> Result<bool> {
    let Some((command, rest)) = arguments.split_first() else {
        bail!("no command was given\n\n{USAGE}");
    };
    let workspace = Workspace::locate()?;
    match command.as_str() {
        "test" => test::run(&workspace, rest),
        "lint" => lint::run(&workspace),
        "tidy" => tidy::run(&workspace),
        "conformance" => conformance::run(&workspace, rest),
        "compatibility" => compatibility::run(&workspace, rest),
        "fuzz" => fuzz::run(&workspace, rest),
        "bench" => bench::run(&workspace, rest),
        "jsonata" => jsonata::run(&workspace, rest),
        "shapes" => shapes::run(&workspace, rest),
        "images" => images::run(&workspace),
        "venv" => {
            println!("{}", python::ensure(&workspace, system::Install::Allowed)?.display());
            Ok(true)
        }
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        other => bail!("no command is called '{other}'\n\n{USAGE}"),
    }
}
