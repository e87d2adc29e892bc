//! Who may name what: the store and the function host know nothing of the language, the API only what it shows of it.
//!
//! Dependencies alone would not show it: a store that looks for `"StartAt"` in its bytes knows the language without
//! depending on it. Words in comments are allowed, because a header may say what its crate refuses to know.

use super::Finding;
use super::source::{Code, Written};
use super::tree::Tree;

/// The folders that must not know.
const IGNORANT: [&str; 2] = ["crates/store", "crates/lambda"];

/// Words that only the language has, as names or inside texts.
const WORDS: [&str; 11] = [
    "StartAt",
    "InputPath",
    "OutputPath",
    "ResultPath",
    "ResultSelector",
    "ItemsPath",
    "ItemProcessor",
    "HeartbeatSeconds",
    "BackoffRate",
    "QueryLanguage",
    "States.",
];

/// All that the API may name of the language and its engine: what it turns into answers. With states, paths or `apply`
/// at hand, a rule of the language would sooner or later be decided in the API.
const SHOWN_BY_API: [&str; 9] = [
    "asl::diagnostic",
    "asl::timestamp",
    "engine::Failure",
    "engine::HistoryEvent",
    "engine::HistoryKind",
    "engine::PayloadId",
    "engine::StateType",
    "engine::Status",
    "engine::TaskEvent",
];

/// Parts of the language in the API that are no answers.
pub(super) fn check_api(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_source_of("crates/api")) {
        // What cannot be read as Rust is told by the rules on size.
        let Ok(code) = Code::without_tests(&file.text) else { continue };
        for path in code.paths() {
            let is_language = path.text.starts_with("asl::") || path.text.starts_with("engine::");
            if is_language && !SHOWN_BY_API.iter().any(|shown| path.text.starts_with(shown)) {
                let what = format!("names `{}`", path.text);
                findings.push(Finding::new(format!("{}:{}", file.path, path.line), what));
            }
        }
    }
    findings
}

/// Words of the language in crates that must not know it.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| IGNORANT.iter().any(|folder| file.is_source_of(folder))) {
        let code = match Code::without_tests(&file.text) {
            Ok(code) => code,
            Err(error) => {
                findings.push(Finding::new(file.path.clone(), format!("cannot be read as Rust: {error}")));
                continue;
            }
        };
        for written in code.paths().into_iter().chain(code.literals()) {
            if let Some(what) = judge(&written) {
                findings.push(Finding::new(format!("{}:{}", file.path, written.line), what));
            }
        }
    }
    findings
}

fn judge(written: &Written) -> Option<String> {
    // A name by itself may be something else (a Docker engine); the crate is named to reach into it.
    if let Some((name @ ("asl" | "engine"), _)) = written.text.split_once("::") {
        return Some(format!("names the crate `{name}`"));
    }
    let word = WORDS.iter().find(|word| written.text.contains(**word))?;
    Some(format!("names `{word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::samples;

    #[test]
    fn each_word_is_found_in_a_text() {
        for word in WORDS {
            let text = format!("fn f() {{ g(\"{word}\"); }}");
            assert_eq!(check(&samples::file("crates/store/src/x.rs", &text)).len(), 1, "{word}");
            assert_eq!(check(&samples::file("crates/engine/src/x.rs", &text)), [], "{word}");
        }
    }

    #[test]
    fn the_crates_of_the_language_are_found() {
        assert_eq!(check(&samples::file("crates/lambda/src/x.rs", "use asl::Machine;")).len(), 1);
        assert_eq!(check(&samples::file("crates/lambda/src/x.rs", "use engine::{Event};")).len(), 1);
    }

    #[test]
    fn the_api_may_show_a_diagnostic_and_decide_nothing() {
        let shown =
            "use asl::diagnostic::{Code, Diagnostic}; use engine::HistoryEvent; use base64::engine::x;";
        assert_eq!(check_api(&samples::file("crates/api/src/x.rs", shown)), []);
        for decided in ["use engine::apply;", "use asl::states::Choice;", "fn f() { asl::parse(x) }"] {
            assert_eq!(check_api(&samples::file("crates/api/src/x.rs", decided)).len(), 1, "{decided}");
        }
    }

    #[test]
    fn another_engine_may_be_named() {
        assert_eq!(
            check(&samples::file("crates/lambda/src/x.rs", "fn f(engine: Docker) { engine.run(); }")),
            []
        );
    }

    #[test]
    fn comments_and_tests_may_name_it() {
        let text = "//! Knows nothing of StartAt.\n#[cfg(test)]\nmod tests { const A: &str = \"StartAt\"; }";
        assert_eq!(check(&samples::file("crates/store/src/x.rs", text)), []);
    }
}
