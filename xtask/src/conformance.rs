//! Runs the recorded AWS cases against a fresh server and holds the result against the committed floor.
//!
//! The cases and their runner lie beside the checkout (`../shared/conformance`), because they are data that several
//! projects use; without them the command says that it was skipped. The runner's own exit code says whether every
//! case passed; ours says whether no area fell below what it had reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{heading, watch_behind};
use crate::compatibility;
use crate::floor::{Floor, Results, results};
use crate::python;
use crate::server::{Server, build, free_port};
use crate::system::Install;
use crate::tally::Tally;
use crate::workspace::Workspace;

const FLOOR: &str = "xtask/conformance-floor.json";
/// Cases run at the same time: most of them wait, so more than the cores.
const JOBS: &str = "8";

/// The command by itself: `--update-floor` is ours, everything else goes to the runner.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let update = arguments.iter().any(|argument| argument == "--update-floor");
    let rest: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| *word != "--update-floor").collect();
    let Some(cases) = workspace.shared("conformance") else {
        println!("skipped: conformance: {ABSENT}");
        return Ok(true);
    };
    let python = python::ensure(workspace, Install::from(false))?;
    let binary = build(workspace)?;
    let results = measure(workspace, &cases, &python, &binary, &rest)?;
    if update {
        Floor::reached(&results).write(&workspace.path(FLOOR))?;
        println!("wrote {FLOOR}");
        return Ok(true);
    }
    if rest.iter().any(|word| ["--filter", "--area", "--cases"].iter().any(|part| word.starts_with(part))) {
        println!("a part of the cases was run: the floor was not checked");
        return Ok(true);
    }
    let mut tally = Tally::default();
    hold(workspace, &results, &mut tally)?;
    Ok(tally.close())
}

/// The step of `cargo xtask test`: each area of the floor counts as one check, and the page that is made from the
/// results as another.
pub(crate) fn check(workspace: &Workspace, python: &Path, binary: &Path, tally: &mut Tally) -> Result<()> {
    heading("conformance");
    let Some(cases) = workspace.shared("conformance") else {
        tally.skip("conformance", ABSENT);
        tally.skip("compatibility", ABSENT);
        return Ok(());
    };
    let results = measure(workspace, &cases, python, binary, &["--show", "0"])?;
    hold(workspace, &results, tally)?;
    compatibility::check(workspace, &cases, tally);
    Ok(())
}

/// Why there are no results.
pub(crate) const ABSENT: &str = "../shared/conformance is not there";

fn measure(
    workspace: &Workspace,
    cases: &Path,
    python: &Path,
    binary: &Path,
    arguments: &[&str],
) -> Result<Results> {
    let lambda_port = free_port()?;
    let lambda_endpoint = format!("http://127.0.0.1:{lambda_port}");
    let binary = binary.to_path_buf();
    let server = Server::start(workspace, &binary, "conformance", &["--lambda-endpoint", &lambda_endpoint])?;
    let output: PathBuf = workspace.scratch("conformance.json");
    if output.exists() {
        fs::remove_file(&output).with_context(|| format!("cannot remove {}", output.display()))?;
    }
    let mut command = Command::new(python);
    command.arg(cases.join("run_cases.py")).args(["--endpoint", &server.endpoint()]);
    // The slow cases only have slow functions, for which nothing waits: with them the run is as quick.
    command.args(["--lambda-port", &lambda_port.to_string(), "--jobs", JOBS, "--slow"]);
    if !arguments.iter().any(|word| word.starts_with("--cases")) {
        command.arg("--cases").arg(cases.join("cases-open"));
    }
    // Ours last: of two --json the runner heeds the later one.
    command.args(arguments).arg("--json").arg(&output).env("PYTHONDONTWRITEBYTECODE", "1");
    // A failing case is not a failure of this command; a run without a result file is.
    watch_behind("  ", &mut command, |_| ())?;
    let text = fs::read_to_string(&output)
        .with_context(|| format!("the runner wrote no {}: see its output above", output.display()))?;
    let value: Value = serde_json::from_str(&text).context("the runner's result is not JSON")?;
    results(&value)
}

fn hold(workspace: &Workspace, results: &Results, tally: &mut Tally) -> Result<()> {
    let floor = Floor::read(&workspace.path(FLOOR))?;
    let passed: u64 = results.values().map(|area| area.passed).sum();
    let failed: u64 = results.values().map(|area| area.failed).sum();
    println!(
        "conformance: {passed} of {} cases pass; results in target/xtask/conformance.json",
        passed + failed
    );
    if floor == Floor::default() {
        tally.fail(&format!(
            "conformance: {FLOOR} names no area; `cargo xtask conformance --update-floor` writes it"
        ));
    }
    for (holds, sentence) in floor.compare("conformance", results) {
        if !holds {
            println!("{sentence}");
        }
        tally.check(&sentence, holds);
    }
    Ok(())
}
