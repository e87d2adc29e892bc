//! What a fuzzer begins with: the definitions, documents, paths, calls and expressions that the repository's tests already have.
//!
//! They are read from the tests' data when they are needed and not kept a second time. Machines that random tests make
//! are added, for their loops and nesting, and the words that inputs are changed with, for they have every function.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use asl::json::Json;

use crate::harness::dice::Dice;
use crate::harness::machines;
use crate::words::{EXPRESSIONS, WORDS};

/// Folders of test data, from the root of the checkout.
const FOLDERS: [&str; 2] = ["crates/asl/tests", "crates/engine/tests/cases"];
/// Random machines: enough for every kind of state in every kind of place.
const MACHINES: u64 = 60;
/// Documents that each path and call is tried on: what a fuzzer combines further by itself.
const DOCUMENTS: usize = 3;
/// A seed that is longer takes time from all that grow out of it.
const SEED_BYTES_MAX: usize = 8 * 1024;

/// The seeds of each target.
#[derive(Default)]
pub struct Seeds {
    definitions: BTreeSet<String>,
    documents: BTreeSet<String>,
    paths: BTreeSet<String>,
    calls: BTreeSet<String>,
    queries: BTreeSet<String>,
}

impl Seeds {
    /// Reads the test data below the root of the checkout.
    ///
    /// # Errors
    /// A folder of test data is not there, or a file of it is no JSON.
    pub fn read(root: &Path) -> Result<Seeds> {
        let mut seeds = Seeds::default();
        for folder in FOLDERS {
            seeds.folder(&root.join(folder))?;
        }
        for seed in 0..MACHINES {
            seeds.definition(&machines::machine(&mut Dice::new(seed)));
        }
        for word in WORDS {
            seeds.expressions(&Json::from(*word));
        }
        seeds.queries.extend(EXPRESSIONS.iter().map(|expression| (*expression).to_owned()));
        Ok(seeds)
    }

    /// The inputs of a target, in a fixed order; none for a name that is no target's.
    pub fn of(&self, target: &str) -> Vec<String> {
        let on_documents = |lines: &BTreeSet<String>| {
            let documents: Vec<&String> = self.documents.iter().filter(|text| text.len() > 10).collect();
            let documents = &documents;
            let pairs = lines.iter().enumerate().flat_map(|(number, line)| {
                let some = documents.iter().cycle().skip(number * DOCUMENTS % documents.len().max(1));
                some.take(DOCUMENTS).map(move |document| format!("{line}\n{document}"))
            });
            pairs.collect()
        };
        match target {
            "definition" => self.definitions.iter().cloned().collect(),
            "path" => on_documents(&self.paths),
            "intrinsic" => on_documents(&self.calls),
            "jsonata" => on_documents(&self.queries),
            "input" => self.documents.iter().cloned().collect(),
            _ => Vec::new(),
        }
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                self.folder(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&path)?;
                let json = Json::parse(&text).with_context(|| format!("{} is no JSON", path.display()))?;
                self.file(&json);
            }
        }
        Ok(())
    }

    /// Whatever of it looks like a definition, a document, a path or a call.
    fn file(&mut self, json: &Json) {
        match json {
            Json::Object(members) => {
                if members.contains_key("StartAt") {
                    self.definition(json);
                    return self.expressions(json);
                }
                for (name, member) in members.iter() {
                    match (name.as_ref(), member) {
                        ("input" | "output" | "result", member) => self.document(member.to_text()),
                        ("input_text" | "output_text", Json::String(text)) => self.document(text.to_string()),
                        _ => {}
                    }
                    self.file(member);
                }
            }
            Json::Array(items) => items.iter().for_each(|item| self.file(item)),
            _ => {}
        }
    }

    fn definition(&mut self, json: &Json) {
        let text = json.to_text();
        if text.len() <= SEED_BYTES_MAX {
            self.definitions.insert(text);
        }
    }

    fn document(&mut self, text: String) {
        if text.len() <= SEED_BYTES_MAX {
            self.documents.insert(text);
        }
    }

    /// Paths, calls and JSONata in a definition.
    fn expressions(&mut self, json: &Json) {
        match json {
            Json::String(text) if text.contains('\n') => {}
            Json::String(text) if asl::jsonata::source(text).is_some() => {
                // Inputs hold an expression in one line.
                self.queries.extend(asl::jsonata::source(text).map(|query| query.replace('\n', " ")));
            }
            Json::String(text) if text.starts_with('$') => _ = self.paths.insert(text.to_string()),
            Json::String(text) if text.starts_with("States.") && text.ends_with(')') => {
                self.calls.insert(text.to_string());
            }
            Json::Array(items) => items.iter().for_each(|item| self.expressions(item)),
            Json::Object(members) => members.values().for_each(|member| self.expressions(member)),
            _ => {}
        }
    }
}
