//! Below the line there is no IO, no async code, no clock and no chance.
//!
//! Looks at the source of the pure crates and at everything that they bring in. A lint of clippy forbids functions
//! one by one; this forbids whole modules, so that a function added to the standard library tomorrow is covered.

use super::Finding;
use super::source::{Code, Written};
use super::tree::{File, Tree};

/// The crates below the line, with their folders.
pub(super) const PURE: [(&str, &str); 3] =
    [("asl", "crates/asl"), ("engine", "crates/engine"), ("sim", "crates/sim")];

const IMPURE_PATHS: [&str; 20] = [
    "std::fs",
    "std::net",
    "std::os",
    "std::thread",
    "std::process",
    "std::env",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::time::UNIX_EPOCH",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::hash::RandomState",
    "std::collections::hash_map::RandomState",
    "std::sync::mpsc",
    "core::net",
    "println",
    "eprintln",
    "dbg",
    "thread_local",
];

const IMPURE_PACKAGES: [&str; 26] = [
    "tokio",
    "async-std",
    "smol",
    "futures",
    "futures-executor",
    "async-trait",
    "rand",
    "rand_core",
    "getrandom",
    "fastrand",
    "oorandom",
    "chrono",
    "time",
    "jiff",
    "instant",
    "web-time",
    "mio",
    "socket2",
    "reqwest",
    "hyper",
    "rustix",
    "nix",
    "tempfile",
    "memmap2",
    "num_cpus",
    "rayon",
];

/// Code that names something impure.
pub(super) fn impure_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in pure_files(tree) {
        findings.extend(in_code(file, |path| {
            let forbidden = IMPURE_PATHS.iter().find(|part| is_within(&path.text, part))?;
            Some(format!("`{}` is impure (`{forbidden}`)", path.text))
        }));
    }
    findings
}

/// Packages that a pure crate brings in, directly or not.
pub(super) fn impure_packages(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages.iter().filter(|package| PURE.iter().any(|(name, _)| *name == package.name)) {
        for reached in &package.reached {
            if IMPURE_PACKAGES.contains(&reached.as_str()) {
                let what =
                    format!("brings in `{reached}` (see `cargo tree -p {} -i {reached}`)", package.name);
                findings.push(Finding::new(package.name.clone(), what));
            }
        }
    }
    findings
}

/// `async` or `await` anywhere in the engine.
pub(super) fn async_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_source_of("crates/engine")) {
        findings.extend(in_code(file, |path| {
            let word = ["async", "await"].into_iter().find(|word| path.text == *word)?;
            Some(format!("`{word}` in the engine"))
        }));
    }
    findings
}

fn pure_files(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| PURE.iter().any(|(_, folder)| file.is_source_of(folder)))
}

/// What `judge` says of each path of the file, with its place.
fn in_code(file: &File, judge: impl Fn(&Written) -> Option<String>) -> Vec<Finding> {
    let code = match Code::without_tests(&file.text) {
        Ok(code) => code,
        Err(error) => {
            return vec![Finding::new(file.path.clone(), format!("cannot be read as Rust: {error}"))];
        }
    };
    let judged = code.paths().into_iter().filter_map(|path| {
        judge(&path).map(|what| Finding::new(format!("{}:{}", file.path, path.line), what))
    });
    judged.collect()
}

/// Whether `path` is `part` or lies below it.
fn is_within(path: &str, part: &str) -> bool {
    path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::samples;

    #[test]
    fn a_clock_in_a_pure_crate_is_found_with_its_line() {
        let tree = samples::file("crates/asl/src/x.rs", "//! X.\n\nuse std::time::{Duration, Instant};\n");
        let findings = impure_paths(&tree);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].place, "crates/asl/src/x.rs:3");
    }

    #[test]
    fn every_impure_path_is_found_and_the_same_elsewhere_is_not() {
        for path in IMPURE_PATHS {
            let text = format!("fn f() {{ {path}::x(); }}");
            assert_eq!(impure_paths(&samples::file("crates/engine/src/a/b.rs", &text)).len(), 1, "{path}");
            assert_eq!(impure_paths(&samples::file("crates/service/src/b.rs", &text)), [], "{path}");
        }
    }

    #[test]
    fn tests_of_a_pure_crate_may_read_files() {
        let text = "#[cfg(test)]\nmod tests { use std::fs; }";
        assert_eq!(impure_paths(&samples::file("crates/engine/src/lib.rs", text)), []);
        for path in ["crates/engine/tests/cases.rs", "crates/engine/src/path/tests.rs"] {
            assert_eq!(impure_paths(&samples::file(path, "use std::fs;")), []);
        }
    }

    #[test]
    fn a_package_deep_below_a_pure_crate_is_found() {
        assert_eq!(impure_packages(&samples::package("asl", &["a"], &["a", "getrandom"])).len(), 1);
        assert_eq!(impure_packages(&samples::package("store", &["a"], &["a", "getrandom"])), []);
    }

    #[test]
    fn async_code_in_the_engine_is_found() {
        let text = "pub async fn f() {}";
        assert_eq!(async_code(&samples::file("crates/engine/src/x.rs", text)).len(), 1);
        assert_eq!(async_code(&samples::file("crates/service/src/x.rs", text)), []);
    }

    #[test]
    fn what_is_no_rust_is_told() {
        assert_eq!(impure_paths(&samples::file("crates/asl/src/x.rs", "fn {{{")).len(), 1);
    }
}
