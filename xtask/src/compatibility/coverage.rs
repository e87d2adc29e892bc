//! What our own cases cover: state types against their fields in the engine's cases, and the tables of definitions.
//!
//! Counts files and entries; whether they pass is for the tests that run them. A case counts once for each pair of
//! state type and field, however many of its states have it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cases::json;

/// The state types in the order in which the language is usually told.
pub(super) const STATES: [&str; 8] = ["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"];
/// Fields that make a state what it is, or lead on to others: every case has them.
const STRUCTURE: [&str; 9] =
    ["Type", "Comment", "Next", "End", "Default", "Branches", "Choices", "ItemProcessor", "QueryLanguage"];
/// Fields that hold machines of their own, besides `Branches`.
const PROCESSORS: [&str; 2] = ["ItemProcessor", "Iterator"];

/// Cases by state type.
pub(super) type ByState = BTreeMap<String, usize>;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    /// Engine cases by folder.
    pub(super) folders: BTreeMap<String, usize>,
    /// Engine cases with a state of the type.
    pub(super) states: ByState,
    /// Engine cases with such a state in JSONata.
    pub(super) jsonata: ByState,
    /// The same for each field.
    pub(super) fields: BTreeMap<String, ByState>,
    /// Definitions in each validation table.
    pub(super) tables: BTreeMap<String, usize>,
}

impl Coverage {
    pub(super) fn read(engine: &Path, validation: &Path) -> Result<Self> {
        let mut coverage = Self::default();
        for folder in list(engine)? {
            let cases: Vec<PathBuf> = list(&folder)?.into_iter().filter(|path| is_json(path)).collect();
            for case in &cases {
                coverage.add(&json(case)?["machine"]);
            }
            coverage.folders.insert(stem(&folder), cases.len());
        }
        for table in list(validation)?.iter().filter(|path| is_json(path)) {
            let entries = json(table)?;
            let entries = entries.as_array().with_context(|| format!("{} is no array", table.display()))?;
            coverage.tables.insert(stem(table), entries.len());
        }
        ensure!(!coverage.states.is_empty(), "{} holds no cases", engine.display());
        ensure!(!coverage.tables.is_empty(), "{} holds no tables", validation.display());
        Ok(coverage)
    }

    /// Counts one case.
    fn add(&mut self, machine: &Value) {
        let mut seen = Seen::default();
        seen.machine(machine, "JSONPath");
        for kind in seen.states {
            *self.states.entry(kind).or_default() += 1;
        }
        for kind in seen.jsonata {
            *self.jsonata.entry(kind).or_default() += 1;
        }
        for (field, kind) in seen.fields {
            *self.fields.entry(field).or_default().entry(kind).or_default() += 1;
        }
    }
}

/// What one case has.
#[derive(Default)]
struct Seen {
    states: BTreeSet<String>,
    jsonata: BTreeSet<String>,
    fields: BTreeSet<(String, String)>,
}

impl Seen {
    fn machine(&mut self, machine: &Value, language: &str) {
        let language = machine["QueryLanguage"].as_str().unwrap_or(language);
        for state in machine["States"].as_object().into_iter().flat_map(|states| states.values()) {
            self.state(state, language);
        }
    }

    /// `language` is the machine's: states inside a state have it too, whatever the state around them says.
    fn state(&mut self, state: &Value, language: &str) {
        let kind = state["Type"].as_str().unwrap_or_default().to_owned();
        if state["QueryLanguage"].as_str().unwrap_or(language) == "JSONata" {
            self.jsonata.insert(kind.clone());
        }
        for field in state.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if !STRUCTURE.contains(&field.as_str()) {
                self.fields.insert((field.clone(), kind.clone()));
            }
        }
        self.states.insert(kind);
        for branch in state["Branches"].as_array().into_iter().flatten() {
            self.machine(branch, language);
        }
        for name in PROCESSORS {
            self.machine(&state[name], language);
        }
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        paths.push(entry.with_context(|| format!("cannot list {}", folder.display()))?.path());
    }
    Ok(paths)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_case_counts_once_for_each_state_type_and_field() {
        let mut coverage = Coverage::default();
        let inner = json!({"States": {"I": {"Type": "Pass", "Output": 1}}});
        coverage.add(&json!({"States": {
            "A": {"Type": "Pass", "Result": 1, "Next": "B"},
            "B": {"Type": "Pass", "Result": 2, "Next": "M"},
            "M": {"Type": "Map", "QueryLanguage": "JSONata", "ItemProcessor": inner, "End": true},
        }}));
        let one = |kind: &str| ByState::from([(kind.to_owned(), 1)]);
        assert_eq!(coverage.fields["Result"], one("Pass"));
        assert_eq!(coverage.fields["Output"], one("Pass"));
        assert_eq!(coverage.fields.len(), 2);
        assert_eq!(coverage.states, ByState::from([("Map".into(), 1), ("Pass".into(), 1)]));
        // The inner state has the language of the machine, not of the state around it.
        assert_eq!(coverage.jsonata, one("Map"));
    }
}
