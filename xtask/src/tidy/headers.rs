//! Every Rust file opens with `//!`: what it is, what it refuses to know, and why.

use super::Finding;
use super::tree::Tree;

/// A header shorter than this says nothing.
const HEADER_CHARACTERS_MIN: usize = 16;

/// Files without a header.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let first = file.text.lines().next().unwrap_or_default();
        match first.strip_prefix("//!") {
            None => findings.push(Finding::new(format!("{}:1", file.path), "does not begin with `//!`")),
            Some(words) if words.trim().chars().count() < HEADER_CHARACTERS_MIN => {
                findings.push(Finding::new(format!("{}:1", file.path), "its header says nothing"));
            }
            Some(_) => (),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::samples;

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(check(&samples::file("crates/a/src/x.rs", "use std::fs;\n")).len(), 1);
        assert_eq!(check(&samples::file("crates/a/src/x.rs", "//! Helpers.\n")).len(), 1);
        assert_eq!(check(&samples::file("crates/a/src/x.rs", "")).len(), 1);
        assert_eq!(check(&samples::file("crates/a/src/x.rs", "//! One state: waits until a moment.\n")), []);
    }
}
