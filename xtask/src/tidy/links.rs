//! What the documents point at is there: links between files, and paths in backticks.
//!
//! A document that names a file which was moved is the first to lie. Links into the web are not followed.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::{File, Tree};

/// A path in backticks is one of ours if it begins with one of these.
const FOLDERS: [&str; 6] = ["crates/", "xtask/", "tests/", "docs/", "demo/", ".ci/"];
/// What stands for a name that varies, and what a command makes: no such path is in the tree.
const PLACEHOLDERS: [&str; 3] = ["NAME", "*", "…"];

/// Links and paths in Markdown files that lead nowhere.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let known = known_paths(tree);
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in file.lines() {
            let leads = |path: &str| known.contains(path.trim_end_matches('/'));
            let from_here = |link: &str| resolve(file, link).is_none_or(|path| leads(&path));
            let linked = between(line, "](", ")").filter(|link| !from_here(link));
            // A path in words may be meant from the root or from the document's own folder.
            let quoted =
                between(line, "`", "`").filter(|path| is_path(path) && !leads(path) && !from_here(path));
            for path in linked.chain(quoted) {
                let what = format!("points at `{path}`, which is not there");
                findings.push(Finding::new(format!("{}:{number}", file.path), what));
            }
        }
    }
    findings
}

/// Every file and every folder above one.
fn known_paths(tree: &Tree) -> BTreeSet<&str> {
    let mut known = BTreeSet::new();
    for file in &tree.files {
        known.insert(file.path.as_str());
        known.extend(file.path.match_indices('/').map(|(end, _)| &file.path[..end]));
    }
    known
}

/// The texts between an opening and a closing mark on one line.
fn between<'a>(line: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let inner = &rest[rest.find(open)? + open.len()..];
        let end = inner.find(close)?;
        rest = &inner[end + close.len()..];
        Some(&inner[..end])
    })
}

/// Where a link leads, from the root; `None` for the web and for places within the same file.
fn resolve(file: &File, link: &str) -> Option<String> {
    let path = link.split('#').next().filter(|path| !path.is_empty() && !path.contains("://"))?;
    let mut parts: Vec<&str> = file.path.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => (),
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn is_path(text: &str) -> bool {
    FOLDERS.iter().any(|folder| text.starts_with(folder))
        && !text.contains(' ')
        && !PLACEHOLDERS.iter().any(|placeholder| text.contains(placeholder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::samples;

    fn page(path: &str, text: &str) -> Tree {
        let mut tree = samples::file(path, text);
        tree.files.extend(samples::file("crates/asl/src/path.rs", "").files);
        tree
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let findings = check(&page("docs/a.md", "\nsee [b](b.md)"));
        assert_eq!(findings, [Finding::new("docs/a.md:2", "points at `b.md`, which is not there")]);
    }

    #[test]
    fn files_folders_and_the_web_may_be_linked() {
        let text =
            "[x](../crates/asl/src/path.rs#here) [y](../crates/asl) [z](https://example.org/q) [w](#top)";
        assert_eq!(check(&page("docs/a.md", text)), []);
    }

    #[test]
    fn a_path_in_backticks_must_exist() {
        assert_eq!(
            check(&page("A.md", "`crates/asl/src/path.rs`, `crates/asl/src/NAME.rs`, `crates/asl/`")),
            []
        );
        assert_eq!(check(&page("A.md", "`crates/asl/src/gone.rs`")).len(), 1);
        let mut own = samples::file("demo/x/README.md", "`tests/a.rs`, `tests/b.rs`");
        own.files.extend(samples::file("demo/x/tests/a.rs", "").files);
        assert_eq!(check(&own).len(), 1);
    }
}
