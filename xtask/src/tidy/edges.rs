//! Which crate may depend on which: the arrows of the picture in ARCHITECTURE.md.
//!
//! A new arrow is a decision, so it is an edit of this table. What a crate's tests depend on is judged by a table of
//! its own: a test may use a second crate to drive the first, but never one above it.

use super::Finding;
use super::tree::Tree;

/// A crate, and what it may name for normal builds.
const ALLOWED: &[(&str, &[&str])] = &[
    ("asl", &[]),
    ("engine", &["asl"]),
    ("jsonata", &["asl"]),
    ("sim", &["asl", "engine"]),
    ("store", &[]),
    ("lambda", &[]),
    ("buckets", &[]),
    ("events", &[]),
    ("logs", &[]),
    ("shapes", &["asl"]),
    ("connect", &["asl", "lambda", "shapes"]),
    ("service", &["asl", "engine", "jsonata", "store", "connect"]),
    ("api", &["asl", "engine", "service"]),
    (
        "loveless",
        &[
            "asl",
            "engine",
            "jsonata",
            "sim",
            "store",
            "lambda",
            "buckets",
            "events",
            "logs",
            "connect",
            "service",
            "api",
            "rolling-ball",
        ],
    ),
    ("loveless-runner", &["lambda"]),
    ("rolling-ball", &[]),
    ("xtask", &[]),
    // What measures and what attacks may use whatever it measures and attacks.
    ("bench-payloads", &["asl", "engine", "jsonata"]),
    ("loveless-fuzz", &["asl", "engine", "jsonata"]),
];

/// Arrows that only a crate's tests may have. Definitions and executions are tested with the evaluator that servers use.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] =
    &[("asl", &["jsonata"]), ("engine", &["jsonata"]), ("sim", &["jsonata"]), ("api", &["connect", "store"])];

/// Dependencies between our crates that the tables do not allow, and crates that they do not know.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ours: Vec<&str> = tree.packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &tree.packages {
        let name = package.name.as_str();
        let Some(allowed) = find(ALLOWED, name) else {
            findings.push(Finding::new(name, "is not in the table of allowed dependencies"));
            continue;
        };
        let in_tests = find(ALLOWED_IN_TESTS, name).unwrap_or_default();
        let is_ours = |dependency: &&String| ours.contains(&dependency.as_str()) && **dependency != name;
        for dependency in package.direct.iter().filter(is_ours) {
            if !allowed.contains(&dependency.as_str()) {
                findings.push(Finding::new(name, format!("depends on `{dependency}`")));
            }
        }
        for dependency in package.development.iter().filter(is_ours) {
            if !allowed.contains(&dependency.as_str()) && !in_tests.contains(&dependency.as_str()) {
                findings.push(Finding::new(name, format!("its tests depend on `{dependency}`")));
            }
        }
    }
    findings
}

fn find(table: &[(&str, &'static [&'static str])], name: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(package, _)| *package == name).map(|(_, allowed)| *allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::{Package, samples};

    fn pair(upper: &str, lower: &str) -> Tree {
        let mut tree = samples::package(upper, &[lower], &[]);
        tree.packages.push(Package { name: lower.into(), ..Package::default() });
        tree
    }

    #[test]
    fn upward_arrows_are_found() {
        for (upper, lower) in
            [("engine", "store"), ("asl", "engine"), ("store", "asl"), ("lambda", "service")]
        {
            let findings = check(&pair(upper, lower));
            assert_eq!(findings, [Finding::new(upper, format!("depends on `{lower}`"))]);
        }
    }

    #[test]
    fn downward_arrows_are_allowed() {
        assert_eq!(check(&pair("service", "engine")), []);
    }

    #[test]
    fn an_arrow_of_tests_is_judged_too() {
        let mut tree = pair("engine", "asl");
        tree.packages[0].development.insert("loveless".into());
        tree.packages.push(Package { name: "loveless".into(), ..Package::default() });
        assert_eq!(check(&tree), [Finding::new("engine", "its tests depend on `loveless`")]);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_found() {
        assert_eq!(check(&samples::package("newcomer", &[], &[])).len(), 1);
    }

    #[test]
    fn the_table_has_no_circle() {
        for (name, allowed) in ALLOWED {
            for below in *allowed {
                let back = find(ALLOWED, below).expect("every name in the table has a row");
                assert!(!back.contains(name), "{name} and {below} point at each other");
            }
        }
    }
}
