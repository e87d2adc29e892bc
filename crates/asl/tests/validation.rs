//! What `parse` says of definitions: a table of definitions and their diagnostics for each part of the language.
//!
//! A file of `validation/` is an array of entries, each with a `comment`, a `definition` (or `definition_text`, for
//! what is not JSON; or `state`, the only state of a machine, called `S`; or `lone`, a state without a machine), perhaps
//! `express: true`, and the `diagnostics`: code, message and location of each, in their order. No diagnostics means that it is accepted.
//!
//! Texts that AWS was recorded with are marked `recorded` in their comments; the others are ours.

use std::path::Path;
use std::sync::Arc;

use asl::json::Json;
use asl::jsonata::Jsonata;
use asl::{MachineType, parse, parse_state};

const FIELDS: [&str; 7] =
    ["comment", "definition", "definition_text", "state", "lone", "express", "diagnostics"];

#[test]
fn every_definition_is_judged_as_it_is_written() {
    let entries = entries();
    let problem = |(file, entry): &(String, Json)| {
        check(entry).err().map(|problem| format!("{file}: {}\n{problem}\n", entry["comment"]))
    };
    let problems: Vec<String> = entries.iter().filter_map(problem).collect();
    assert!(problems.is_empty(), "{} of {} differ:\n{}", problems.len(), entries.len(), problems.join("\n"));
}

fn jsonata() -> Arc<dyn Jsonata> {
    Arc::new(jsonata::Evaluator::new(jsonata::Limits::STRICT))
}

/// Every entry with the name of its file.
fn entries() -> Vec<(String, Json)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validation");
    let mut files: Vec<_> = (std::fs::read_dir(folder).expect("the folder of cases can be read"))
        .map(|file| file.expect("the folder of cases can be read").path())
        .collect();
    files.sort();
    let mut entries = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a case can be read");
        let table = Json::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let table = table.as_array().unwrap_or_else(|| panic!("{name} is not an array"));
        entries.extend(table.iter().map(|entry| (name.clone(), entry.clone())));
    }
    assert!(!entries.is_empty(), "there are no cases");
    entries
}

/// Texts that are almost definitions: a piece left out, doubled, or replaced, by a fixed sequence.
#[test]
fn no_text_makes_it_panic() {
    let pieces =
        ["{", "}", "[", "]", ",", ":", "\"", "$", "$$.", "null", "-1", "1e99", "\"A\"", "\\u0000", "é"];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut accepted = 0;
    let jsonata = jsonata();
    for (_, entry) in entries() {
        let Ok(text) = definition(&entry) else { continue };
        let text: Vec<char> = text.chars().collect();
        for _ in 0..100 {
            let at = below(text.len());
            let end = (at + below(12)).min(text.len());
            let piece: String = match below(3) {
                0 => String::new(),
                1 => text[at..end].iter().chain(&text[at..end]).collect(),
                _ => pieces[below(pieces.len())].into(),
            };
            let changed: String = [text[..at].iter().collect(), piece, text[end..].iter().collect()].concat();
            accepted += usize::from(parse(&changed, MachineType::Standard, &jsonata).is_ok());
        }
    }
    assert!(accepted > 0, "some changes do no harm");
}

fn check(entry: &Json) -> Result<(), String> {
    let members = entry.as_object().ok_or("an entry is an object")?;
    if let Some(unknown) = members.keys().find(|name| !FIELDS.contains(&&***name)) {
        return Err(format!("field '{unknown}' is not one of {FIELDS:?}"));
    }
    let expected = entry.get("diagnostics").ok_or("an entry has 'diagnostics'")?;
    let machine_type =
        if entry["express"] == Json::from(true) { MachineType::Express } else { MachineType::Standard };
    let parsed = match entry.get("lone") {
        Some(state) => parse_state(&state.to_text(), &jsonata()),
        None => parse(&definition(entry)?, machine_type, &jsonata()),
    };
    let happened = match parsed {
        Ok(_) => Json::array(Vec::<Json>::new()),
        Err(diagnostics) => Json::array(diagnostics.into_iter().map(|diagnostic| {
            let location = Json::from(diagnostic.location);
            Json::array([Json::from(diagnostic.code.as_str()), Json::from(diagnostic.message), location])
        })),
    };
    if happened == *expected { Ok(()) } else { Err(format!("expected: {expected}\nhappened: {happened}")) }
}

fn definition(entry: &Json) -> Result<String, String> {
    match (entry.get("definition"), entry["definition_text"].as_str(), entry.get("state")) {
        (Some(definition), None, None) => Ok(definition.to_text()),
        (None, Some(text), None) => Ok(text.into()),
        (None, None, Some(state)) => {
            let states = Json::object([("S", state.clone())]);
            Ok(Json::object([("StartAt", Json::from("S")), ("States", states)]).to_text())
        }
        _ => Err("an entry has one of 'definition', 'definition_text' and 'state'".into()),
    }
}
