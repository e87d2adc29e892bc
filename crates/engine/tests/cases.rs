//! Engine tests are data: one file a case, each a machine, a script of events and what must follow from them.
//!
//! A file of `cases/` holds `comment`, `machine`, `input` (or `input_text`, kept verbatim), perhaps `origin`, `limits`,
//! `seed` and `deleted_activities`, the `script`, and `expect`: the end, and a trace of every event with the history and
//! the effects that followed from it. How a line of the trace reads is told in `harness/show.rs`, how a script reads in
//! `harness/case.rs`. Besides what the file expects, every case proves what must hold for all of them: see
//! `harness/run.rs` and `harness/mirror.rs`.
//!
//! `CASE=map/ cargo test -p engine --test cases goes` runs only the cases whose path contains the text; `UPDATE=1` writes
//! what happened into the files instead of comparing, for a human to read the diff.
//!
//! Nothing here knows how the engine works inside: cases use its public API, as the server does.

mod harness;

use std::path::{Path, PathBuf};

use harness::case::Case;
use harness::pretty::pretty;

#[test]
fn every_case_goes_as_it_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let wanted = std::env::var("CASE").unwrap_or_default();
    let update = std::env::var_os("UPDATE").is_some();
    let mut problems = Vec::new();
    let mut ran = 0;
    for file in files(&root) {
        let name = file.strip_prefix(&root).expect("it was found there").display().to_string();
        if !name.contains(&wanted) {
            continue;
        }
        ran += 1;
        if let Err(problem) = check(&file, update) {
            problems.push(format!("== {name}\n{problem}\n"));
        }
    }
    assert!(ran > 0, "no case has '{wanted}' in its path");
    assert!(problems.is_empty(), "{} of {ran} cases differ:\n{}", problems.len(), problems.join("\n"));
}

fn check(file: &Path, update: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let case = Case::read(&text)?;
    let happened = case.play()?;
    if update {
        return std::fs::write(file, pretty(&case.with(happened))).map_err(|error| error.to_string());
    }
    match &case.expect {
        Some(expected) if *expected == happened => Ok(()),
        Some(expected) => Err(first_difference(&pretty(expected), &pretty(&happened))),
        None => Err("the case has no 'expect': run with UPDATE=1 and read what it wrote".into()),
    }
}

/// The first line that differs, with the lines before it.
fn first_difference(expected: &str, happened: &str) -> String {
    let (expected, happened): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), happened.lines().collect());
    let same = expected.iter().zip(&happened).take_while(|(left, right)| left == right).count();
    let before = expected[same.saturating_sub(4)..same].join("\n");
    let line = |lines: &[&str]| lines.get(same).copied().unwrap_or("(nothing)").to_owned();
    format!("{before}\nexpected: {}\nhappened: {}", line(&expected), line(&happened))
}

/// Every case below a folder, in the order of their paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder of cases can be read") {
            let path = entry.expect("the folder of cases can be read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
