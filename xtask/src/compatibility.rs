//! Writes docs/compatibility.md, which answers "will my machine run?", from the result files of the last runs.
//!
//! Nothing on that page is written by hand: counts come from the runs, features that are absent are recognised in the
//! cases themselves, and what is left needs a committed reason. A failure without a reason, and a reason without its
//! failure, is an error and not a page, because a page that explains less than it counts would be believed. Knows
//! nothing of how the runs are made.
//!
//! ```text
//! cases, conformance.json ──> cases ──┐
//!                   definitions ──> feature ──> verdict ──┐
//!       compatibility-reasons.json ──> reasons ──┘        ├──> page ──> docs/compatibility.md
//!               jsonata-suite.json ──> suite ─────────────┤
//!    scenarios, deviations ──> operations ────────────────┤
//!      engine cases, validation tables ──> coverage ──────┘
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use self::coverage::Coverage;
use self::operations::Operations;
use self::reasons::Reasons;
use self::suite::Suite;
use self::verdict::Judgement;
use crate::conformance;
use crate::tally::Tally;
use crate::workspace::Workspace;

mod cases;
mod coverage;
mod feature;
mod markdown;
mod operations;
mod page;
mod reasons;
mod suite;
mod verdict;

const PAGE: &str = "docs/compatibility.md";
const REASONS: &str = "xtask/compatibility-reasons.json";
const SCENARIOS: &str = "tests/test_operations.py";
const DEVIATIONS: &str = "xtask/operation-deviations.json";
const RESULTS: &str = "conformance.json";
const SUITE: &str = "jsonata-suite.json";
const COMMAND: &str = "cargo xtask compatibility";

/// What the page is made of.
struct Facts {
    judgement: Judgement,
    /// Absent when the suite has not been run.
    suite: Option<Suite>,
    coverage: Coverage,
    operations: Operations,
}

/// The command. `--run` first makes the results anew.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let mut holds = true;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (),
        ["--run"] => holds = conformance::run(workspace, &["--show".to_owned(), "0".to_owned()])?,
        _ => bail!("compatibility takes --run or nothing, not '{}'", arguments.join(" ")),
    }
    let Some(folder) = workspace.shared("conformance") else {
        bail!("{}: without the cases there is nothing to write", conformance::ABSENT);
    };
    let facts = match gather(workspace, &folder)? {
        Gathered::All(facts) => facts,
        Gathered::Part(why) => bail!("{why}; `cargo xtask conformance` without a filter runs all of them"),
    };
    if !facts.judgement.problems.is_empty() {
        for problem in &facts.judgement.problems {
            println!("{problem}");
        }
        println!(
            "{PAGE} was not written: {} findings; reasons are in {REASONS}",
            facts.judgement.problems.len()
        );
        return Ok(false);
    }
    if facts.suite.is_none() {
        println!(
            "target/xtask/{SUITE} is not there: the page will say so instead of the JSONata suite's result"
        );
    }
    let path = workspace.path(PAGE);
    fs::write(&path, page::render(&facts)).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {PAGE}");
    Ok(holds)
}

/// The step of `cargo xtask test` after the conformance run: the committed page is what its results say.
pub(crate) fn check(workspace: &Workspace, folder: &Path, tally: &mut Tally) {
    match gather(workspace, folder) {
        Err(error) => tally.fail(&format!("compatibility: {error:#}")),
        Ok(Gathered::Part(why)) => tally.skip("compatibility", &why),
        Ok(Gathered::All(facts)) => hold(workspace, &facts, tally),
    }
}

fn hold(workspace: &Workspace, facts: &Facts, tally: &mut Tally) {
    for problem in &facts.judgement.problems {
        tally.fail(&format!("compatibility: {problem}"));
    }
    if !facts.judgement.problems.is_empty() {
        return;
    }
    let committed = fs::read_to_string(workspace.path(PAGE)).unwrap_or_default();
    let mut differing = page::differences(&committed, &page::render(facts));
    if facts.suite.is_none() {
        differing.retain(|section| section != page::SUITE_HEADING);
        tally.skip("compatibility, the JSONata suite", &format!("target/xtask/{SUITE} is not there"));
    }
    for section in &differing {
        tally
            .fail(&format!("compatibility: '{section}' of {PAGE} is not what was measured: run `{COMMAND}`"));
    }
    if differing.is_empty() {
        tally.check("compatibility", true);
    }
}

/// Whether the last run was of all cases; a page over a part would look like a fall.
enum Gathered {
    All(Box<Facts>),
    Part(String),
}

fn gather(workspace: &Workspace, folder: &Path) -> Result<Gathered> {
    let cases = cases::read(&folder.join("cases-open"))?;
    let outcomes = cases::outcomes(&workspace.scratch(RESULTS))?;
    if let Some(why) = cases::absent(&cases, &outcomes)? {
        return Ok(Gathered::Part(why));
    }
    let reasons = Reasons::read(&workspace.path(REASONS))?;
    Ok(Gathered::All(Box::new(Facts {
        judgement: verdict::judge(&cases, &outcomes, &reasons),
        suite: Suite::read(&workspace.scratch(SUITE))?,
        operations: operations::read(&workspace.path(SCENARIOS), &workspace.path(DEVIATIONS))?,
        coverage: Coverage::read(
            &workspace.path("crates/engine/tests/cases"),
            &workspace.path("crates/asl/tests/validation"),
        )?,
    })))
}
