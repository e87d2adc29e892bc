//! The rules of the design, as checks on the source: what ARCHITECTURE.md claims, this makes true.
//!
//! A rule is a name and a pure function from a `Tree` (the source, in memory) to findings, so that each rule's test
//! shows it a small tree that breaks it. This file knows the list of rules and how to report; it holds no rule itself.
//! Lints that the compiler or clippy already has are not repeated here.

use std::path::Path;

use anyhow::Result;

use crate::command::heading;
use crate::system::has_program;
use crate::tally::Tally;
use crate::workspace::Workspace;

use self::tree::Tree;

mod edges;
mod headers;
mod leftovers;
mod links;
mod packages;
mod purity;
mod size;
mod source;
mod tree;
mod vocabulary;
mod wasm;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// `file:line`, or the package.
    place: String,
    /// What is wrong there.
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// One rule of the design.
struct Rule {
    name: &'static str,
    remedy: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "the pure crates read no clock, chance, thread, file or network",
        remedy: "take it as an argument: time and a seed come with each event (`Moment`)",
        check: purity::impure_paths,
    },
    Rule {
        name: "the pure crates depend on no runtime, clock or randomness",
        remedy: "move the code that needs it above the line, or hand the result in as an argument",
        check: purity::impure_packages,
    },
    Rule {
        name: "the engine has no async code",
        remedy: "return an effect; the service performs it",
        check: purity::async_code,
    },
    Rule {
        name: "crates depend on each other only downwards",
        remedy: "invert the dependency, or change the table in xtask/src/tidy/edges.rs and the picture in ARCHITECTURE.md",
        check: edges::check,
    },
    Rule {
        name: "store and lambda never name the language",
        remedy: "pass bytes or names that the caller understands",
        check: vocabulary::check,
    },
    Rule {
        name: "the API holds no rule of the language",
        remedy: "decide it in asl, engine or service; or add what is only shown to xtask/src/tidy/vocabulary.rs",
        check: vocabulary::check_api,
    },
    Rule {
        name: "every file opens with a header",
        remedy: "begin it with `//!`: what it is, and what it refuses to know",
        check: headers::check,
    },
    Rule { name: "functions are short", remedy: "split it where a name appears", check: size::functions },
    Rule { name: "files are small", remedy: "split it by noun", check: size::files },
    Rule {
        name: "nothing is left to do",
        remedy: "do it, or file an issue; a test that cannot run says `skipped: NAME: REASON`",
        check: leftovers::unfinished,
    },
    Rule {
        name: "nothing names somebody's machine",
        remedy: "use a path relative to the checkout, or a setting",
        check: leftovers::machine_paths,
    },
    Rule {
        name: "documents point at what is there",
        remedy: "mend the link, or the sentence around it",
        check: links::check,
    },
    Rule {
        name: "pure crates have few direct dependencies",
        remedy: "do without, or move the code that needs it above the line",
        check: packages::direct,
    },
    Rule {
        name: "the lock file stays under its cap",
        remedy: "choose leaner features, or raise PACKAGES_MAX in xtask/src/tidy/packages.rs knowingly",
        check: packages::locked,
    },
];

/// The command by itself.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut tally = Tally::default();
    check(workspace, &mut tally)?;
    Ok(tally.close())
}

/// Every rule; each counts as one check.
pub(crate) fn check(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    heading("tidy");
    let tree = Tree::read(workspace)?;
    for rule in RULES {
        let findings = (rule.check)(&tree);
        report(rule, &findings);
        tally.check(&format!("tidy: {}", rule.name), findings.is_empty());
    }
    wasm::check(workspace, tally)
}

fn report(rule: &Rule, findings: &[Finding]) {
    if findings.is_empty() {
        println!("ok      {}", rule.name);
        return;
    }
    println!("BROKEN  {}", rule.name);
    for finding in findings {
        println!("        {}: {}", finding.place, finding.what);
    }
    println!("        remedy: {}", rule.remedy);
}

/// Whether the compiler has the standard library of a target, without asking for a download.
fn has_target(sysroot: &Path, target: &str) -> bool {
    has_program("rustc") && sysroot.join("lib/rustlib").join(target).join("lib").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_breaks_no_rule() {
        for rule in RULES {
            assert_eq!((rule.check)(&Tree::default()), [], "{}", rule.name);
        }
    }
}
