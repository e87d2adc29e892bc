//! `cargo xtask test`: everything, in the order in which a failure is cheapest to see.
//!
//! Sets up what the tests need, runs each step to its end even when an earlier one failed, and closes with what was
//! skipped and why. Knows the steps and their order; how each one works is in its own file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{heading, watch};
use crate::docker::Engine;
use crate::jsonata::Sources;
use crate::system::Install;
use crate::tally::{Counts, Tally};
use crate::workspace::Workspace;
use crate::{conformance, demo, fuzz, jsonata, lint, npm, python, rust_client, server, tidy};

const STEPS: [&str; 7] = ["lint", "tidy", "rust", "python", "conformance", "demo", "fuzz"];

/// What was asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    install: bool,
    /// Empty: all of them.
    only: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { install: false, only: Vec::new() };
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "--install" => options.install = true,
                "--only" => match words.next() {
                    Some(step) if STEPS.contains(&step) => options.only.push(step.to_owned()),
                    other => bail!("--only needs one of {}, not '{}'", STEPS.join(", "), other.unwrap_or("")),
                },
                other => bail!("test does not know '{other}': it takes --install and --only STEP"),
            }
        }
        Ok(options)
    }

    fn wants(&self, step: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == step)
    }
}

/// The command.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let options = Options::parse(arguments)?;
    let install = Install::from(options.install);
    let mut tally = Tally::default();
    if options.wants("lint") {
        lint::check(workspace, &mut tally)?;
    }
    if options.wants("tidy") {
        tidy::check(workspace, &mut tally)?;
    }
    if ["rust", "python", "conformance", "demo"].iter().any(|step| options.wants(step)) {
        run_tests(workspace, &options, install, &mut tally)?;
    }
    if options.wants("fuzz") {
        fuzz::check(workspace, install, &mut tally);
    }
    Ok(tally.close())
}

/// The steps that run our programs, and what they need.
fn run_tests(workspace: &Workspace, options: &Options, install: Install, tally: &mut Tally) -> Result<()> {
    heading("what the tests need");
    let python = python::ensure(workspace, install);
    let python = match install {
        // With leave to install, nothing excuses their absence: a green run must have run them.
        Install::Allowed => built(tally, python),
        Install::Refused => available(tally, "Python clients", python),
    };
    println!(
        "Python clients: {}",
        python.as_ref().map_or("none".into(), |python| python.display().to_string())
    );
    let engine = if options.wants("rust") || options.wants("demo") {
        // Kept until the tests are over: an engine that we started stops when this is dropped.
        available(tally, "containers", Engine::ensure(workspace, install))
    } else {
        None
    };
    println!("containers: {}", if engine.is_some() { "a Docker engine answers" } else { "none" });
    if options.wants("rust") {
        let sources = Sources::ensure(workspace, install);
        let sources = match install {
            Install::Allowed => built(tally, sources),
            Install::Refused => available(tally, "JSONata's oracle and suite", sources),
        };
        rust(workspace, python.as_deref(), sources.as_ref(), tally)?;
        if sources.is_some() {
            jsonata::check(workspace, tally);
        }
    }
    if !["python", "conformance", "demo"].iter().any(|step| options.wants(step)) {
        return Ok(());
    }
    heading("programs for the client tests");
    let Some(binary) = built(tally, server::build(workspace)) else {
        return Ok(());
    };
    if let Some(python) = python {
        if options.wants("python") {
            let others = others(workspace, install, tally);
            clients(workspace, &python, &binary, &others, tally)?;
        }
        if options.wants("conformance")
            && let Err(error) = conformance::check(workspace, &python, &binary, tally)
        {
            tally.fail(&format!("conformance: {error:#}"));
        }
    }
    if options.wants("demo") {
        demo::check(workspace, &binary, "processes", tally);
        if engine.is_some() {
            demo::check(workspace, &binary, "containers", tally);
        }
    }
    Ok(())
}

/// Notes an absent prerequisite as skipped, with its reason.
fn available<T>(tally: &mut Tally, what: &str, found: Result<T>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            tally.skip(what, &format!("{error:#}"));
            None
        }
    }
}

/// What can be made here and was not is a failure, not a skip.
fn built<T>(tally: &mut Tally, result: Result<T>) -> Option<T> {
    result.map_err(|error| tally.fail(&format!("{error:#}"))).ok()
}

fn rust(
    workspace: &Workspace,
    python: Option<&Path>,
    sources: Option<&Sources>,
    tally: &mut Tally,
) -> Result<()> {
    heading("Rust tests");
    // Without --show-output the reason that a test gives for skipping would be swallowed with its other output.
    let mut command = workspace.cargo(&["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    if let Some(python) = python {
        command.env("LOVELESS_TEST_PYTHON", python);
    }
    if let Some(sources) = sources {
        sources.tell(workspace, &mut command)?;
    }
    let mut counts = Counts::default();
    let succeeded = watch(&mut command, |line| counts.read_cargo(line))?;
    tally.step("Rust tests", counts, succeeded);
    Ok(())
}

/// Clients that need more than the Python of all the others: variables that tell the tests where they are.
fn others(workspace: &Workspace, install: Install, tally: &mut Tally) -> Vec<(&'static str, PathBuf)> {
    let node = npm::client(workspace, install).map(Some);
    let science = python::ensure_data_science(workspace, install);
    let clients = [
        ("the JavaScript SDK", "LOVELESS_TEST_NODE", node),
        ("the Rust SDK", "LOVELESS_TEST_RUST_CLIENT", rust_client::build(workspace).map(Some)),
        ("the Data Science SDK", "LOVELESS_TEST_DATASCIENCE_PYTHON", science),
    ];
    let mut found = Vec::new();
    for (what, variable, place) in clients {
        let place = match install {
            Install::Allowed => built(tally, place),
            Install::Refused => available(tally, what, place),
        };
        // What cannot be here at all is skipped by its test, with the reason.
        found.extend(place.flatten().map(|place| (variable, place)));
    }
    found
}

fn clients(
    workspace: &Workspace,
    python: &Path,
    binary: &Path,
    others: &[(&str, PathBuf)],
    tally: &mut Tally,
) -> Result<()> {
    heading("client tests: unmodified clients against `loveless serve`");
    let mut command = Command::new(python);
    command.current_dir(workspace.root());
    command.args(["-m", "pytest", "-v", "-rsfE", "-p", "no:cacheprovider", "tests"]);
    command.env("LOVELESS_BIN", binary).env("PYTHONDONTWRITEBYTECODE", "1");
    command.envs(others.iter().map(|(name, place)| (name, place)));
    let mut counts = Counts::default();
    let succeeded = watch(&mut command, |line| counts.read_pytest(line))?;
    tally.step("client tests", counts, succeeded);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        Options::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn without_only_every_step_is_wanted() {
        let options = parse(&["--install"]).expect("known words");
        assert!(options.install);
        assert!(STEPS.iter().all(|step| options.wants(step)));
    }

    #[test]
    fn only_narrows_and_unknown_words_are_refused() {
        let options = parse(&["--only", "tidy", "--only", "rust"]).expect("known words");
        assert!(options.wants("tidy") && options.wants("rust") && !options.wants("lint"));
        let error = parse(&["--only", "tydi"]).expect_err("a typo is refused");
        assert_eq!(
            error.to_string(),
            "--only needs one of lint, tidy, rust, python, conformance, demo, fuzz, not 'tydi'"
        );
        assert!(parse(&["--instal"]).is_err());
    }
}
