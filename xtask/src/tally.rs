//! What passed, what failed and what was skipped and why, over all steps of a run.
//!
//! Reads the closing lines of the test runners that we use (cargo test, pytest) and the lines by which a test
//! says that it could not run here. Knows nothing of how the steps are run. Nothing is skipped silently: the
//! summary lists every skip with its reason, and a test that skipped is not counted as passed.

use std::collections::BTreeSet;

/// The sums over all steps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    failures: Vec<String>,
    skips: BTreeSet<String>,
}

impl Tally {
    /// One check that is not a test of a runner, such as formatting.
    pub(crate) fn check(&mut self, name: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.fail(name);
        }
    }

    /// Something went wrong outside any single test.
    pub(crate) fn fail(&mut self, what: &str) {
        self.failed += 1;
        self.failures.push(what.to_owned());
    }

    /// Something could not run here.
    pub(crate) fn skip(&mut self, what: &str, reason: &str) {
        self.skips.insert(format!("{what}: {reason}"));
    }

    /// Adds a step that ended: its runner's counts, and a failure of its own if it failed without counting one
    /// (it did not compile, or died).
    pub(crate) fn step(&mut self, name: &str, counts: Counts, succeeded: bool) {
        let died = !succeeded && counts.failed == 0;
        let told = counts.told.difference(&self.skips).count();
        self.passed += counts.passed.saturating_sub(told);
        self.failed += counts.failed;
        self.failures.extend(counts.failures);
        self.skips.extend(counts.told);
        self.skips.extend(counts.skips);
        if died {
            self.fail(&format!("{name}: ended with a failure before its tests could be counted"));
        }
    }

    /// Prints what failed, what was skipped, and the closing line; says whether all is well.
    pub(crate) fn close(&self) -> bool {
        println!();
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        for skip in &self.skips {
            println!("skipped: {skip}");
        }
        println!("{}", self.closing_line());
        self.is_green()
    }

    /// Whether something ran and nothing failed.
    pub(crate) fn is_green(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    fn closing_line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skips.len())
    }
}

/// What one runner's output says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    failures: Vec<String>,
    /// Skips that the runner itself does not count as passed.
    skips: BTreeSet<String>,
    /// Skips that a test told in its output; its runner counts that test as passed.
    told: BTreeSet<String>,
    /// The test whose output is being shown.
    shown: String,
}

impl Counts {
    /// Reads one line of `cargo test -- --show-output`.
    pub(crate) fn read_cargo(&mut self, line: &str) {
        if let Some(test) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            test.clone_into(&mut self.shown);
        } else if let Some(reason) = line.trim_start().strip_prefix("skipped: ") {
            self.told.insert(self.name(reason));
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number_before(result, " passed").unwrap_or(0);
            self.failed += number_before(result, " failed").unwrap_or(0);
            self.shown.clear();
        } else if let Some((name, ending)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        {
            self.read_ending(name, ending);
        }
    }

    /// Reads how one test ended. Those that passed are counted by the closing line alone.
    fn read_ending(&mut self, name: &str, ending: &str) {
        if ending == "FAILED" {
            self.failures.push(name.to_owned());
        } else if let Some(reason) = ending.strip_prefix("skipped: ") {
            self.skips.insert(format!("{name}: {reason}"));
        } else if ending.starts_with("ignored") {
            self.skips.insert(format!("{name}: marked as ignored"));
        }
    }

    /// A reason with the test that gave it, which the heading of its output names.
    fn name(&self, reason: &str) -> String {
        if self.shown.is_empty() || reason.starts_with(&self.shown) {
            return reason.to_owned();
        }
        format!("{}: {reason}", self.shown)
    }

    /// Reads one line of `pytest -v -rsfE`.
    pub(crate) fn read_pytest(&mut self, line: &str) {
        if let Some(skip) = line.strip_prefix("SKIPPED [") {
            // `SKIPPED [2] tests/test_x.py:12: why`: the number in brackets says how many.
            let skip = skip.split_once("] ").map_or(skip, |(_, rest)| rest);
            self.skips.insert(skip.to_owned());
        } else if let Some(name) = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR ")) {
            self.failures.push(name.to_owned());
        } else if line.starts_with('=') && line.contains(" in ") {
            self.passed += number_before(line, " passed").unwrap_or(0);
            self.failed += number_before(line, " failed").unwrap_or(0);
            self.failed += number_before(line, " error").unwrap_or(0);
        }
    }
}

/// The number that stands right before the first `word`.
fn number_before(text: &str, word: &str) -> Option<usize> {
    let before = &text[..text.find(word)?];
    let digits = before.len() - before.bytes().rev().take_while(u8::is_ascii_digit).count();
    before[digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(read: fn(&mut Counts, &str), output: &str) -> Counts {
        let mut counts = Counts::default();
        output.lines().for_each(|line| read(&mut counts, line));
        counts
    }

    #[test]
    fn cargo_results_are_added_up_and_told_skips_are_not_passes() {
        let output = "\
test a ... ok
test b ... FAILED
test f ... skipped: a kernel without it
---- c stdout ----
skipped: c: no Docker engine answers
skipped: c: no Docker engine answers
---- d stdout ----
skipped: no Docker engine answers
---- e stdout ----
skipped: no Docker engine answers
test result: FAILED. 7 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s
test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        let mut tally = Tally::default();
        tally.step("rust", counted(Counts::read_cargo, output), false);
        assert_eq!(tally.closing_line(), "11 passed, 1 failed, 4 skipped");
        assert_eq!(tally.failures, ["b"]);
        let skips: Vec<_> = tally.skips.iter().map(String::as_str).collect();
        assert_eq!(skips[..2], ["c: no Docker engine answers", "d: no Docker engine answers"]);
        assert!(!tally.is_green());
    }

    #[test]
    fn pytest_results_are_added_up() {
        let output = "\
SKIPPED [1] tests/test_s3.py:4: weed is not installed
FAILED tests/test_api.py::test_x - assert 1 == 2
ERROR tests/test_api.py::test_y - RuntimeError
=========== 1 failed, 10 passed, 1 skipped, 2 errors in 3.21s ===========";
        let mut tally = Tally::default();
        tally.step("python", counted(Counts::read_pytest, output), false);
        assert_eq!(tally.closing_line(), "10 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_step_that_dies_without_a_count_is_a_failure() {
        let mut tally = Tally::default();
        tally.check("formatting", true);
        tally.step("rust", Counts::default(), false);
        assert_eq!(tally.closing_line(), "1 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_run_in_which_nothing_ran_is_not_green() {
        let mut tally = Tally::default();
        tally.skip("everything", "no machine");
        assert!(!tally.is_green());
    }
}
