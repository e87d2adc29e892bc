//! Paths: a line with a path, and a document. Compiling never panics and keeps the text; selecting always ends, twice
//! the same; an indefinite path gives an array; what was written through a reference path is read back through it, and
//! the document that it was written into has not changed.

use asl::json::{Json, Object};
use asl::path::{Path, ReferencePath, Scope, Work};

use super::{check_round_trip, line_and_document};

/// Inputs are not JSON as a whole.
pub const IS_JSON: bool = false;

/// Runs the target.
pub fn run(data: &[u8]) {
    let Some((text, document)) = line_and_document(data) else { return };
    match Path::parse(text) {
        Ok(path) => check_path(&path, text, &document),
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal without words"),
    }
    if let Ok(path) = ReferencePath::parse(text) {
        check_reference(&path, &document);
    }
}

fn check_path(path: &Path, text: &str, document: &Json) {
    assert_eq!(path.to_string(), text, "a path is its text");
    assert!(path.from_document().trim_start().starts_with('$'), "{}", path.from_document());
    let mut variables = Object::new();
    if let Some(name) = path.variable() {
        variables.insert(name.clone(), document.clone());
    }
    // What a scope may do is used up by the first time: the second has as much of its own.
    let select = || {
        let work = Work::default();
        path.select(&Scope { input: document, context: document, variables: &variables, work: &work })
    };
    let found = select();
    assert!(found == select(), "{text} finds something else the second time");
    match found {
        Ok(value) => {
            let is_list = value.as_array().is_some();
            assert!(path.is_definite() || is_list || path_ends_in_call(text), "{text} gave {value}");
            if path.is_whole() {
                assert!(value == *document, "{text} is the document");
            }
            check_round_trip(&value, &text);
        }
        Err(miss) => assert!(!miss.cause(path).is_empty(), "a miss without words"),
    }
}

/// `$..price.sum()`: a function makes one value of the matches.
fn path_ends_in_call(text: &str) -> bool {
    text.trim_end().ends_with(')')
}

fn check_reference(path: &ReferencePath, document: &Json) {
    let before = document.clone();
    let mark = Json::from("written");
    match path.set(document, mark.clone()) {
        Ok(changed) => {
            assert!(path.get(&changed) == Some(mark), "{path}: what was written is not there");
            check_round_trip(&changed, path);
        }
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal without words"),
    }
    assert!(*document == before, "{path}: writing changed the document that it copied");
    _ = path.get(document);
}
