//! `loveless test`: a whole machine against mocked responses, on a clock that skips; no server, no network, no waiting.
//!
//! The mocks are those of AWS Step Functions Local ([`mocks`]), what is expected of each case is a file of our own
//! ([`expectation`]). The machine runs on the engine that servers run, driven by `sim`. It refuses to know how.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use asl::jsonata::Jsonata;
use asl::machine::Machine;
use clap::{Args, ValueEnum};
use jsonata::{Evaluator, Limits};
use serde_json::Value;

use self::case::{Outcome, Ran, Subject, run_case};
use self::expectation::{Expectation, Expected};
use self::mocks::{Case, MockedMachine, Mocks};
use super::validate::MachineType;
use super::validate::check::check;
use crate::document::drawing::{Style, colours_wanted, draw};
use crate::document::finding::{Finding, Severity};
use crate::document::node::Node;
use crate::document::source::Source;
use crate::document::{definition, tree};

mod case;
mod expectation;
mod mocks;
mod report;
mod script;

const EXAMPLE: &str = "\
Every Task state that a case comes to is answered from the mock file, by the name of the state; Wait,
retries and timeouts take no time. Expectations are read from MACHINE.test.json (or .yaml) beside the
machine, if it is there; without them a case passes when it ends SUCCEEDED.

Exit codes:
  0  every case passed
  1  a case failed
  2  a file cannot be read or is wrong, or the arguments are

Example:
  loveless test order.asl.json --mocks MockConfigFile.json
  loveless test order.asl.json --mocks MockConfigFile.json --case order#Declined --format junit";

/// A case has failed.
const FAILED: u8 = 1;
/// Nothing could be run; also clap's code for wrong arguments.
const TROUBLE: u8 = 2;

/// Run a machine against mocked responses (MockConfigFile.json), with time skipped; no server needed.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Test {
    /// The definition, in JSON or YAML; `-` is the standard input.
    #[arg(value_name = "MACHINE")]
    machine: PathBuf,
    /// The mock file, in the format of AWS Step Functions Local.
    #[arg(long, value_name = "FILE")]
    mocks: PathBuf,
    /// A case to run, as MACHINE#CASE or CASE; repeatable. Without it all of the machine's.
    #[arg(long = "case", value_name = "NAME#CASE")]
    cases: Vec<String>,
    /// The input of every case, instead of those in the expectations: a file, or JSON.
    #[arg(long, value_name = "FILE|JSON")]
    input: Option<String>,
    /// What is expected; without it MACHINE.test.json, .jsonc, .yaml or .yml beside the machine.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Write what came of the cases as what is expected of them.
    #[arg(long)]
    update: bool,
    /// The type of machine.
    #[arg(long = "type", value_enum, ignore_case = true, default_value_t = MachineType::Standard)]
    machine_type: MachineType,
    /// Lines for people, one JSON document for programs, or JUnit's XML.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Junit,
}

/// Why nothing could be run.
type Trouble = String;

impl Test {
    pub(crate) fn run(self) -> ExitCode {
        let done = self.test().and_then(|(machine, cases)| {
            let text = match self.format {
                Format::Text => report::text(&cases),
                Format::Json => report::json(&cases),
                Format::Junit => report::junit(&machine, &cases),
            };
            let written = std::io::stdout().lock().write_all(text.as_bytes());
            written.map_err(|error| format!("error: cannot write the report: {error}\n"))?;
            Ok(cases.iter().all(Ran::passed))
        });
        match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(FAILED),
            Err(trouble) => {
                eprint!("{trouble}");
                ExitCode::from(TROUBLE)
            }
        }
    }

    /// Runs the cases; gives the machine's name with them.
    fn test(&self) -> Result<(String, Vec<Ran>), Trouble> {
        let machine = self.machine()?;
        let input = self.input.as_deref().map(read_input).transpose()?;
        let file = Source::read(&self.mocks).map_err(said)?;
        let (mocks, findings) = mocks::read(&*parsed(&file)?);
        refuse(&file, &findings)?;
        let (mocked, cases) = self.select(&mocks)?;
        let misfits: Vec<Finding> = cases.iter().flat_map(|case| case.misfits(&machine)).collect();
        refuse(&file, &misfits)?;
        let expectations = self.expectations_file();
        let mut expected = match &expectations {
            Some(path) if path.exists() || !self.update => self.expected(path, mocked)?,
            Some(_) | None => Vec::new(),
        };
        let express = matches!(self.machine_type, MachineType::Express);
        let subject = Subject { machine: &machine, name: &mocked.name, express };
        let nothing = Value::Object(serde_json::Map::new());
        let ran: Vec<Ran> = cases
            .iter()
            .map(|case| {
                let known = expected.iter().find(|one| one.case == case.name);
                let expectation = known.map(|one| one.expectation.clone()).unwrap_or_default();
                let input = input.as_ref().or(expectation.input.as_ref()).unwrap_or(&nothing).clone();
                // What is about to be written is not held against what was.
                let held = (!self.update).then_some(&expectation);
                run_case(&subject, case, &file, &input, held)
            })
            .collect();
        if self.update {
            let path = expectations.ok_or_else(|| said("--update needs --expect FILE here"))?;
            update(&path, &mut expected, &cases, &ran, input.as_ref())?;
        }
        Ok((mocked.name.clone(), ran))
    }

    /// The machine, if its definition is valid.
    fn machine(&self) -> Result<Machine, Trouble> {
        let source = Source::read(&self.machine).map_err(said)?;
        let machine_type = asl::MachineType::from(self.machine_type);
        refuse(&source, &check(&source, machine_type))?;
        let jsonata: Arc<dyn Jsonata> = Arc::new(Evaluator::new(Limits::STRICT));
        asl::parse(&definition(&source), machine_type, &jsonata)
            .map_err(|_| said(format!("{} has no definition that can be run", source.name)))
    }

    /// The machine of the mock file that is meant, and the cases that were asked for.
    fn select<'a>(&self, mocks: &'a Mocks) -> Result<(&'a MockedMachine, Vec<&'a Case>), Trouble> {
        let file = self.mocks.display();
        let mut wanted = Vec::new();
        let mut named: Option<&str> = None;
        for case in &self.cases {
            let (machine, case) = match case.split_once('#') {
                Some((machine, case)) if !machine.is_empty() => (Some(machine), case),
                Some((_, case)) => (None, case),
                None => (None, case.as_str()),
            };
            if let (Some(one), Some(other)) = (named, machine)
                && one != other
            {
                return Err(said(format!(
                    "--case names two machines, {one} and {other}: run them one by one"
                )));
            }
            named = named.or(machine);
            wanted.push(case);
        }
        let stem = stem(&self.machine);
        let by_name = |name: &str| mocks.machines.iter().find(|machine| machine.name == name);
        let known: Vec<&str> = mocks.machines.iter().map(|machine| machine.name.as_str()).collect();
        let machine = match (named, mocks.machines.as_slice()) {
            (Some(name), _) => by_name(name),
            (None, [only]) => Some(only),
            (None, _) => by_name(&stem),
        };
        let Some(machine) = machine else {
            let name = named.unwrap_or(&stem);
            let help = "name one of them: --case MACHINE#CASE";
            return Err(said(format!("{file} has no machine '{name}', but {}; {help}", known.join(", "))));
        };
        if machine.cases.is_empty() {
            return Err(said(format!("{file} has no test cases for '{}'", machine.name)));
        }
        if wanted.is_empty() {
            return Ok((machine, machine.cases.iter().collect()));
        }
        let find = |name: &str| {
            machine.cases.iter().find(|case| case.name == name).ok_or_else(|| {
                let known: Vec<&str> = machine.cases.iter().map(|case| case.name.as_str()).collect();
                said(format!("'{}' has no case '{name}' in {file}, but {}", machine.name, known.join(", ")))
            })
        };
        let cases = wanted.into_iter().map(find).collect::<Result<_, _>>()?;
        Ok((machine, cases))
    }

    /// Where expectations are, or would be written.
    fn expectations_file(&self) -> Option<PathBuf> {
        if let Some(path) = &self.expect {
            return Some(path.clone());
        }
        if self.machine.as_os_str() == "-" {
            return None;
        }
        let stem = stem(&self.machine);
        let beside = |extension: &str| self.machine.with_file_name(format!("{stem}.test.{extension}"));
        let found = ["json", "jsonc", "yaml", "yml"].into_iter().map(beside).find(|path| path.exists());
        found.or_else(|| self.update.then(|| beside("json")))
    }

    fn expected(&self, path: &Path, mocked: &MockedMachine) -> Result<Vec<Expected>, Trouble> {
        let source = Source::read(path).map_err(said)?;
        let (expected, mut findings) = expectation::read(&*parsed(&source)?);
        for one in &expected {
            if !mocked.cases.iter().any(|case| case.name == one.case) {
                let known: Vec<&str> = mocked.cases.iter().map(|case| case.name.as_str()).collect();
                findings.push(Finding {
                    severity: Severity::Error,
                    code: "UNKNOWN_CASE",
                    message: format!("The mock file has no case '{}' for '{}'", one.case, mocked.name),
                    location: None,
                    span: one.span.clone(),
                    help: Some(format!("its cases are: {}", known.join(", ")).into()),
                });
            }
        }
        refuse(&source, &findings)?;
        Ok(expected)
    }
}

/// Writes what came of the cases as what is expected.
fn update(
    path: &Path,
    expected: &mut Vec<Expected>,
    cases: &[&Case],
    ran: &[Ran],
    input: Option<&Value>,
) -> Result<(), Trouble> {
    if path.extension().is_none_or(|extension| extension != "json") {
        let name = path.display();
        return Err(said(format!(
            "--update writes JSON and would lose the comments of {name}: edit it by hand"
        )));
    }
    for (case, ran) in cases.iter().zip(ran) {
        let Outcome::Ended { ended, .. } = &ran.outcome else { continue };
        match expected.iter_mut().find(|one| one.case == case.name) {
            Some(one) => one.expectation = one.expectation.updated(ended, input.cloned()),
            None => {
                let expectation = Expectation::default().updated(ended, input.cloned());
                expected.push(Expected { case: case.name.clone(), span: 0..0, expectation });
            }
        }
    }
    std::fs::write(path, expectation::write(expected))
        .map_err(|error| said(format!("cannot write {}: {error}", path.display())))
}

/// An input as the command line gives it.
fn read_input(given: &str) -> Result<Value, Trouble> {
    let text = given.trim_start();
    if text.starts_with(['{', '[', '"']) {
        return serde_json::from_str(text).map_err(|error| said(format!("--input is not JSON: {error}")));
    }
    match std::fs::read_to_string(given) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|error| said(format!("--input: {given} does not hold JSON: {error}"))),
        // A number, `true` or `null`.
        Err(error) => serde_json::from_str(text).map_err(|_| {
            said(format!("--input: {given} is neither JSON nor a file that can be read: {error}"))
        }),
    }
}

/// The name of a machine by its file: `order` of `order.asl.json`.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = [".json", ".jsonc", ".yaml", ".yml"].into_iter().find_map(|end| name.strip_suffix(end));
    let stem = extension.unwrap_or(&name);
    stem.strip_suffix(".asl").unwrap_or(stem).to_owned()
}

fn parsed(source: &Source) -> Result<Rc<Node>, Trouble> {
    tree(source).map_err(|finding| drawn(source, &[*finding]))
}

/// Tells of everything that was found, and goes on only after warnings.
fn refuse(source: &Source, findings: &[Finding]) -> Result<(), Trouble> {
    let text = drawn(source, findings);
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(text);
    }
    eprint!("{text}");
    Ok(())
}

fn drawn(source: &Source, findings: &[Finding]) -> String {
    let style = if colours_wanted() { Style::COLOURED } else { Style::PLAIN };
    findings.iter().map(|finding| draw(&style, source, finding) + "\n").collect()
}

fn said(trouble: impl std::fmt::Display) -> Trouble {
    format!("error: {trouble}\n")
}
