//! The operations of the API: which client test calls each, and where it is known to differ from AWS.
//!
//! The tests say what they call: each scenario of the client tests names its operations above its first line. What
//! differs is committed beside the reasons for failing cases. Whether the tests pass is for the run that runs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::cases::json;

/// The operations of the model of 2016-11-23.
const COUNT: usize = 37;
/// How a scenario names its operations.
const MARK: &str = "@calls(";

/// An operation of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Operation {
    /// The scenarios that call it.
    pub(super) scenarios: Vec<String>,
    /// Where it differs from AWS, in Markdown.
    pub(super) deviations: Vec<String>,
}

/// Every operation by its name.
pub(super) type Operations = BTreeMap<String, Operation>;

/// Reads the scenarios and the deviations.
pub(super) fn read(scenarios: &Path, deviations: &Path) -> Result<Operations> {
    let text =
        fs::read_to_string(scenarios).with_context(|| format!("{} cannot be read", scenarios.display()))?;
    let mut operations = called(&text)?;
    ensure!(
        operations.len() == COUNT,
        "the scenarios of {} name {} operations, and the API has {COUNT}",
        scenarios.display(),
        operations.len()
    );
    let committed = json(deviations)?;
    for (name, said) in committed.as_object().into_iter().flatten() {
        let Some(operation) = operations.get_mut(name) else {
            bail!("{} names '{name}', which is no operation", deviations.display());
        };
        let said = said.as_array().into_iter().flatten().filter_map(|text| text.as_str());
        operation.deviations = said.map(str::to_owned).collect();
    }
    Ok(operations)
}

/// The operations that the scenarios of a test file name.
fn called(text: &str) -> Result<Operations> {
    let mut operations = Operations::new();
    for part in text.split(MARK).skip(1) {
        let (names, rest) = part.split_once(")\ndef ").context("a scenario follows its operations")?;
        let scenario = rest.split('(').next().unwrap_or_default();
        for name in names.split(',').map(|name| name.trim().trim_matches('"')) {
            operations.entry(name.to_owned()).or_default().scenarios.push(scenario.to_owned());
        }
    }
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_name_their_operations() {
        let text = "import x\n\n@calls(\"A\", \"B\",\n       \"C\")\ndef one(client):\n    pass\n\n\n@calls(\"B\")\ndef two(c):\n    pass\n";
        let operations = called(text).unwrap();
        let scenarios = |name: &str| operations[name].scenarios.clone();
        assert_eq!(operations.len(), 3);
        assert_eq!(scenarios("C"), ["one"]);
        assert_eq!(scenarios("B"), ["one", "two"]);
        assert!(called("\n@calls(\"A\")\nclass X:").is_err());
    }
}
