//! `loveless validate`: what AWS would refuse in definitions, each problem under its source line; no server needed.
//!
//! Text comes in, a report goes out: [`crate::document`] reads a file and knows where everything in it stands, [`check`]
//! asks the language what is wrong and [`place`] finds the spot, [`report`] shows it. It refuses to know a rule of the
//! language: those are `asl`'s, so that this command and a server's answers cannot differ.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::check::check;
use self::report::{Checked, Report};
use crate::document::drawing::colours_wanted;
use crate::document::source::Source;

pub(super) mod check;
mod place;
mod report;
#[cfg(test)]
mod tests;

const EXAMPLE: &str = "\
Files are read by their extension:
  .json          JSON as AWS takes it: no comments, no trailing commas
  .jsonc         JSON with comments and trailing commas
  .yaml, .yml    YAML 1.2
  others, -      JSON if the text begins like JSON, otherwise YAML

Exit codes:
  0  every definition is valid (warnings are allowed)
  1  a definition has an error
  2  a file cannot be read, or the arguments are wrong

Example:
  loveless validate order.asl.json --type EXPRESS
  loveless validate machines/*.yaml --format json > report.json";

/// A definition has an error.
const INVALID: u8 = 1;
/// A file cannot be read, or the report cannot be written; also clap's code for wrong arguments.
const TROUBLE: u8 = 2;

/// Check definitions without a server: what AWS would refuse, each problem under its source line.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Validate {
    /// Definitions in JSON or YAML; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The type of machine they are meant for.
    #[arg(long = "type", value_enum, ignore_case = true, default_value_t = MachineType::Standard)]
    machine_type: MachineType,
    /// Text for people, or one JSON document for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Say nothing about files without a problem, and count nothing.
    #[arg(short, long)]
    quiet: bool,
}

/// As `CreateStateMachine` spells it.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum MachineType {
    #[value(name = "STANDARD")]
    Standard,
    #[value(name = "EXPRESS")]
    Express,
}

impl From<MachineType> for asl::MachineType {
    fn from(given: MachineType) -> asl::MachineType {
        match given {
            MachineType::Standard => asl::MachineType::Standard,
            MachineType::Express => asl::MachineType::Express,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Validate {
    pub(crate) fn run(self) -> ExitCode {
        if self.files.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            eprintln!("error: the standard input can be read only once: give `-` once");
            return ExitCode::from(TROUBLE);
        }
        let report = self.report();
        for (_, trouble) in report.unreadable() {
            eprintln!("error: {trouble}");
        }
        let text = match self.format {
            Format::Text => report.text(colours_wanted(), self.quiet),
            Format::Json => report.json(),
        };
        if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes()) {
            eprintln!("error: cannot write the report: {error}");
            return ExitCode::from(TROUBLE);
        }
        ExitCode::from(exit_code(&report))
    }

    fn report(&self) -> Report {
        let machine_type = self.machine_type.into();
        let files = self.files.iter().map(|path| match Source::read(path) {
            Ok(source) => Checked::Read { findings: check(&source, machine_type), source },
            Err(trouble) => Checked::Unreadable { file: path.display().to_string(), trouble },
        });
        Report::new(files.collect())
    }
}

fn exit_code(report: &Report) -> u8 {
    match (report.unreadable().next(), report.has_errors()) {
        (Some(_), _) => TROUBLE,
        (None, true) => INVALID,
        (None, false) => 0,
    }
}
