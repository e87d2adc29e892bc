//! Runs the recorded AWS cases against a fresh server and holds the result against the committed floor.
//!
//! The cases and their runner lie beside the checkout (`../shared/conformance`), because they are data that several
//! projects use; without them the command says that it was skipped. The runner's own exit code says whether every
//! case passed; ours says whether no area fell below what it had reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

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
    if rest.iter().any(|word| CHOICES.iter().any(|choice| word.starts_with(choice))) {
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
    let runner = Runner { workspace, cases, python, endpoint: server.endpoint(), lambda_port };
    let mut value = runner.run("conformance.json", arguments)?;
    if !arguments.iter().any(|word| CHOICES.iter().any(|choice| word.starts_with(choice))) {
        let ours = of_our_own_services(&cases.join("cases-open"))?;
        let endpoint = server.endpoint();
        let filter = format!("^({})$", ours.join("|"));
        let more = ["--show", "0", "--filter", &filter, "--services-endpoint", &endpoint];
        add(&mut value, &runner.run("conformance-services.json", &more)?)?;
        let output = workspace.scratch("conformance.json");
        fs::write(&output, format!("{value:#}\n"))
            .with_context(|| format!("cannot write {}", output.display()))?;
    }
    results(&value)
}

/// The runner's options that choose among the cases.
const CHOICES: [&str; 3] = ["--filter", "--area", "--cases"];
/// What a case may need besides Step Functions and Lambda: the services that this server has itself.
const OUR_SERVICES: [&str; 2] = ["s3", "logs"];

/// What runs the cases.
struct Runner<'a> {
    workspace: &'a Workspace,
    cases: &'a Path,
    python: &'a Path,
    endpoint: String,
    lambda_port: u16,
}

impl Runner<'_> {
    /// Runs cases, and gives the result that was left in the file of this name.
    fn run(&self, name: &str, arguments: &[&str]) -> Result<Value> {
        let output: PathBuf = self.workspace.scratch(name);
        if output.exists() {
            fs::remove_file(&output).with_context(|| format!("cannot remove {}", output.display()))?;
        }
        let mut command = Command::new(self.python);
        command.arg(self.cases.join("run_cases.py")).args(["--endpoint", &self.endpoint]);
        // The slow cases only have slow functions, for which nothing waits: with them the run is as quick.
        command.args(["--lambda-port", &self.lambda_port.to_string(), "--jobs", JOBS, "--slow"]);
        if !arguments.iter().any(|word| word.starts_with("--cases")) {
            command.arg("--cases").arg(self.cases.join("cases-open"));
        }
        // Ours last: of two --json the runner heeds the later one.
        command.args(arguments).arg("--json").arg(&output).env("PYTHONDONTWRITEBYTECODE", "1");
        // A failing case is not a failure of this command; a run without a result file is.
        watch_behind("  ", &mut command, |_| ())?;
        let text = fs::read_to_string(&output)
            .with_context(|| format!("the runner wrote no {}: see its output above", output.display()))?;
        serde_json::from_str(&text).context("the runner's result is not JSON")
    }
}

/// The cases that need none but our own services, as patterns of their ids. The runner takes all services to be there
/// or none, so that these have a run of their own.
fn of_our_own_services(folder: &Path) -> Result<Vec<String>> {
    let mut patterns = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let case: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
        let services: Vec<&str> =
            case["services"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let ours = !services.is_empty() && services.iter().all(|service| OUR_SERVICES.contains(service));
        if let (true, Some(id)) = (ours, case["id"].as_str()) {
            patterns.push(pattern(id));
        }
    }
    patterns.sort();
    Ok(patterns)
}

/// A text as a pattern that means nothing but it.
fn pattern(text: &str) -> String {
    let letter = |letter: char| match letter {
        letter if letter.is_ascii_punctuation() => format!("\\{letter}"),
        letter => letter.to_string(),
    };
    text.chars().map(letter).collect()
}

/// Adds the results of a second run.
fn add(value: &mut Value, more: &Value) -> Result<()> {
    let results = more["results"].as_array().context("the second result has no 'results'")?;
    value["results"].as_array_mut().context("the result has no 'results'")?.extend(results.iter().cloned());
    for (area, counts) in more["areas"].as_object().context("the second result has no 'areas'")? {
        for at in [0, 1] {
            let there = value["areas"][area][at].as_u64().unwrap_or(0);
            let sum = there + counts[at].as_u64().unwrap_or(0);
            if value["areas"].get(area).is_none() {
                value["areas"][area] = json!([0, 0]);
            }
            value["areas"][area][at] = sum.into();
        }
    }
    Ok(())
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
