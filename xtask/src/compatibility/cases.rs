//! The recorded cases and what the last run made of each.
//!
//! Reads the case files and the runner's result file, and says whether the one was run over all of the other. Refuses
//! to judge: an outcome is what the runner said.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The areas that are about the language itself; all others are the API and what surrounds it.
pub(super) const LANGUAGE: [&str; 17] = [
    "activities",
    "arguments",
    "assign",
    "base",
    "choice_operators",
    "comments",
    "context_object",
    "credentials",
    "error_handling",
    "evaluate_jsonata",
    "intrinsic_functions",
    "logs",
    "outputdecl",
    "query_language",
    "scenarios",
    "states_variables",
    "timeouts",
];

/// One recorded case.
pub(super) struct Case {
    pub(super) area: String,
    /// Services besides Step Functions and Lambda that it talks to.
    services: Vec<String>,
    slow: bool,
    pub(super) whole: Value,
}

/// What the runner said of one case.
pub(super) struct Outcome {
    pub(super) passed: bool,
    /// Status and output, error or cause are as recorded, whatever the history.
    pub(super) same_result: bool,
    /// The first difference; empty for a pass.
    pub(super) difference: String,
}

pub(super) type Cases = BTreeMap<String, Case>;
pub(super) type Outcomes = BTreeMap<String, Outcome>;

impl Case {
    pub(super) fn parse(whole: Value) -> Option<(String, Self)> {
        let id = whole["id"].as_str()?.to_owned();
        let area = whole["area"].as_str()?.to_owned();
        let services = match &whole["services"] {
            Value::Array(names) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        let slow = whole["slow"].as_bool().unwrap_or(false);
        Some((id, Self { area, services, slow, whole }))
    }

    pub(super) fn is_language(&self) -> bool {
        LANGUAGE.contains(&self.area.as_str())
    }

    /// Why the runner may leave it out.
    pub(super) fn skip_reason(&self) -> Option<String> {
        if !self.services.is_empty() {
            return Some(format!("needs {}", self.services.join(" and ")));
        }
        self.slow.then(|| "slow".to_owned())
    }
}

/// Every case file of the folder, by id.
pub(super) fn read(folder: &Path) -> Result<Cases> {
    let mut cases = Cases::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let (id, case) = Case::parse(json(&path)?)
            .with_context(|| format!("{} has no 'id' or no 'area'", path.display()))?;
        let twin = cases.insert(id, case);
        ensure!(twin.is_none(), "{} has the id of another case", path.display());
    }
    Ok(cases)
}

/// The runner's result file.
pub(super) fn outcomes(path: &Path) -> Result<Outcomes> {
    ensure!(path.exists(), "{} is not there: `cargo xtask conformance` makes it", path.display());
    parse_outcomes(&json(path)?).with_context(|| format!("cannot read {}", path.display()))
}

pub(super) fn parse_outcomes(value: &Value) -> Result<Outcomes> {
    let results = value["results"].as_array().context("the result has no 'results'")?;
    let mut outcomes = Outcomes::new();
    for result in results {
        let id = result["id"].as_str().context("a result has no 'id'")?;
        let passed = result["ok"].as_bool().with_context(|| format!("the result of {id} has no 'ok'"))?;
        let same_result = result["result_ok"].as_bool().unwrap_or(passed);
        let difference = result["why"].as_str().unwrap_or_default().to_owned();
        outcomes.insert(id.to_owned(), Outcome { passed, same_result, difference });
    }
    Ok(outcomes)
}

/// Why the outcomes are not of all cases, if they are not. Outcomes of cases that are unknown are an error: they were
/// made from another set.
pub(super) fn absent(cases: &Cases, outcomes: &Outcomes) -> Result<Option<String>> {
    if let Some(id) = outcomes.keys().find(|id| !cases.contains_key(*id)) {
        anyhow::bail!("the result names {id}, which is no case: it was made from another set of cases");
    }
    let missing: Vec<&String> = cases
        .iter()
        .filter(|(id, case)| !outcomes.contains_key(*id) && case.skip_reason().is_none())
        .map(|(id, _)| id)
        .collect();
    let Some(first) = missing.first() else {
        return Ok(None);
    };
    Ok(Some(format!("the last run left out {} cases, such as {first}", missing.len())))
}

/// A file of JSON.
pub(super) fn json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cases(values: Vec<Value>) -> Cases {
        values.into_iter().map(|value| Case::parse(value).expect("a case has an id")).collect()
    }

    #[test]
    fn a_case_without_result_makes_a_run_partial_unless_it_may_be_skipped() {
        let cases = cases(vec![
            json!({"id": "a", "area": "base", "services": ["s3", "sqs"]}),
            json!({"id": "b", "area": "base", "services": [], "slow": true}),
            json!({"id": "c", "area": "base"}),
        ]);
        assert_eq!(cases["a"].skip_reason().as_deref(), Some("needs s3 and sqs"));
        assert_eq!(cases["b"].skip_reason().as_deref(), Some("slow"));
        let none = parse_outcomes(&json!({"results": []})).expect("well formed");
        let why = absent(&cases, &none).expect("known cases");
        assert_eq!(why.as_deref(), Some("the last run left out 1 cases, such as c"));
        let all = parse_outcomes(&json!({"results": [{"id": "c", "ok": true}]})).expect("well formed");
        assert_eq!(absent(&cases, &all).expect("known cases"), None);
    }

    #[test]
    fn results_of_unknown_cases_and_broken_files_are_errors() {
        let other = parse_outcomes(&json!({"results": [{"id": "x", "ok": true}]})).expect("well formed");
        assert!(absent(&Cases::new(), &other).is_err());
        assert!(parse_outcomes(&json!({})).is_err());
        assert!(parse_outcomes(&json!({"results": [{"id": "x"}]})).is_err());
        assert!(Case::parse(json!({"id": "x"})).is_none());
    }
}
