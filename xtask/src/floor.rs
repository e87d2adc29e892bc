//! The floor under the conformance run: for each area, the least number of cases that must pass.
//!
//! Knows numbers, not how they came about. The committed file says what has been reached; falling below it in any
//! area is a failure, rising above it is raised knowingly with `--update-floor`. A total alone would let one area
//! rot while another grows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Cases that must pass, by area.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Floor {
    areas: BTreeMap<String, u64>,
}

/// What a run counted, by area.
pub(crate) type Results = BTreeMap<String, Area>;

/// One area's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Floor {
    /// Reads the file; an absent file is a floor of nothing.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let value: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
        let object = value.as_object().with_context(|| format!("{} is not an object", path.display()))?;
        let mut areas = BTreeMap::new();
        for (area, least) in object {
            let least = least
                .as_u64()
                .with_context(|| format!("{}: '{area}' is not a whole number", path.display()))?;
            areas.insert(area.clone(), least);
        }
        Ok(Self { areas })
    }

    /// What this run reached, as a floor. An area that reached nothing cannot fall: it has no line.
    pub(crate) fn reached(results: &Results) -> Self {
        let reached = results.iter().filter(|(_, area)| area.passed > 0);
        Self { areas: reached.map(|(name, area)| (name.clone(), area.passed)).collect() }
    }

    /// Writes the file, one area a line, so that a change reads as a diff.
    pub(crate) fn write(&self, path: &PathBuf) -> Result<()> {
        let mut text =
            serde_json::to_string_pretty(&json!(self.areas)).context("numbers by name are JSON")?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Each area with whether it holds, and a sentence that begins with `what` was run.
    pub(crate) fn compare(&self, what: &str, results: &Results) -> Vec<(bool, String)> {
        let mut lines = Vec::new();
        for (area, least) in &self.areas {
            let passed = results.get(area).map_or(0, |counts| counts.passed);
            let holds = passed >= *least;
            let word = if holds { "holds" } else { "is broken" };
            lines.push((holds, format!("{what} {area}: {passed} passed, the floor of {least} {word}")));
        }
        lines
    }
}

/// Reads the `areas` of a result file: `{area: [passed, failed]}`.
pub(crate) fn results(value: &Value) -> Result<Results> {
    let areas = value["areas"].as_object().context("the result has no 'areas'")?;
    let mut results = Results::new();
    for (name, counts) in areas {
        let count = |index: usize| {
            counts[index]
                .as_u64()
                .with_context(|| format!("the result's area '{name}' has no pair of counts"))
        };
        results.insert(name.clone(), Area { passed: count(0)?, failed: count(1)? });
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(passed: u64) -> Results {
        results(&json!({"areas": {"base": [passed, 1]}})).expect("well formed")
    }

    #[test]
    fn an_area_below_its_floor_is_told() {
        let floor = Floor::reached(&sample(5));
        assert_eq!(floor.compare("conformance", &sample(5)).len(), 1);
        assert!(floor.compare("conformance", &sample(6))[0].0);
        let (holds, sentence) = &floor.compare("conformance", &sample(4))[0];
        assert!(!holds);
        assert_eq!(sentence, "conformance base: 4 passed, the floor of 5 is broken");
    }

    #[test]
    fn an_area_that_reached_nothing_has_no_floor() {
        assert_eq!(Floor::reached(&sample(0)), Floor::default());
    }

    #[test]
    fn an_area_that_vanished_is_below_its_floor() {
        assert!(!Floor::reached(&sample(5)).compare("conformance", &Results::new())[0].0);
    }

    #[test]
    fn a_broken_result_is_an_error_and_not_a_pass() {
        assert!(results(&json!({})).is_err());
        assert!(results(&json!({"areas": {"base": 5}})).is_err());
    }
}
