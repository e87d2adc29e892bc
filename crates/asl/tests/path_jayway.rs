//! Paths against the library that AWS runs: a table of what Jayway's JsonPath answers, made by running it.
//!
//! A row names a document and a path, and what we give: `value`, `error` (the text behind `Invalid path '…' : `) or
//! `refused` when the path is read. Where the library gives something else, `library` says what and `why` names one of
//! the table's reasons; there must be a reason, and it must be used.

use std::collections::BTreeSet;
use std::path::Path as FilePath;

use asl::json::Json;
use asl::path::{Path, Work};

#[test]
fn paths_answer_as_the_library_does_or_say_why_not() {
    let file = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/path-jayway.json");
    let table =
        Json::parse(&std::fs::read_to_string(file).expect("the table can be read")).expect("it is JSON");
    let rows = table["rows"].as_array().expect("the table has rows");
    let mut reasons = BTreeSet::new();
    let mut problems = Vec::new();
    for row in rows {
        let document = table["documents"].get(row["document"].as_str().expect("a row names its document"));
        let path = row["path"].as_str().expect("a row has a path");
        let (kind, value) = outcome(path, document.expect("the document is there"));
        if row.get(kind) != Some(&value) {
            problems.push(format!("{row}\n  happened: {}", Json::object([(kind, value.clone())])));
        }
        match (row.get("library"), row["why"].as_str()) {
            (None, None) => {}
            (Some(library), Some(why)) => {
                reasons.insert(why);
                if library.get(kind) == Some(&value) {
                    problems.push(format!("{row}\n  does not differ from the library"));
                }
            }
            _ => problems.push(format!("{row}\n  has 'library' without 'why', or the reverse")),
        }
    }
    let given: BTreeSet<&str> =
        table["reasons"].as_object().expect("the table has reasons").keys().map(|name| &**name).collect();
    assert_eq!(reasons, given, "reasons used, and reasons given");
    assert!(problems.is_empty(), "{} of {} rows:\n{}", problems.len(), rows.len(), problems.join("\n"));
    assert!(rows.len() > 800, "only {} rows", rows.len());
}

fn outcome(path: &str, document: &Json) -> (&'static str, Json) {
    match Path::parse(path).map(|path| path.select_in(document, &Work::default())) {
        Err(_) => ("refused", Json::from(true)),
        Ok(Err(miss)) => ("error", Json::from(miss.to_string())),
        Ok(Ok(value)) => ("value", value),
    }
}
