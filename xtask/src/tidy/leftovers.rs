//! Nothing unfinished, nothing of somebody's machine.
//!
//! The words are put together from halves, so that this file does not find itself.

use super::Finding;
use super::tree::Tree;

const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimplemen", "ted!("),
    concat!("#[ig", "nore"),
];

const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Marks of unfinished work, and tests that never run.
pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let is_source = |path: &str| [".rs", ".py", ".sh", ".toml"].iter().any(|end| path.ends_with(end));
    containing(tree, is_source, &UNFINISHED)
}

/// Paths that exist on one machine only.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    containing(tree, |_| true, &MACHINE_PATHS)
}

fn containing(tree: &Tree, is_meant: impl Fn(&str) -> bool, words: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| is_meant(&file.path)) {
        for (number, line) in file.lines() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                findings.push(Finding::new(format!("{}:{number}", file.path), format!("has `{word}`")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::samples;

    #[test]
    fn every_mark_is_found_with_its_line() {
        for word in UNFINISHED {
            let findings = unfinished(&samples::file("a.rs", &format!("\n// {word}\n")));
            assert_eq!(findings, [Finding::new("a.rs:2", format!("has `{word}`"))]);
        }
    }

    #[test]
    fn every_machine_path_is_found_in_any_file() {
        for word in MACHINE_PATHS {
            assert_eq!(
                machine_paths(&samples::file("README.md", &format!("see {word}x"))).len(),
                1,
                "{word}"
            );
        }
    }
}
