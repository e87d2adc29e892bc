//! The source in memory: every committed text file, and the packages with what they depend on.
//!
//! Reads once; the rules read nothing themselves, so that a test can hand them a tree of three lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace::Workspace;

/// What the rules look at.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    pub(super) packages: Vec<Package>,
    /// How many packages `Cargo.lock` names.
    pub(super) packages_locked: usize,
}

/// A text file: its path from the root with forward slashes, and its text.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// A package of ours.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    /// What its own manifest names for normal builds.
    pub(super) direct: BTreeSet<String>,
    /// What its own manifest names for tests and build scripts.
    pub(super) development: BTreeSet<String>,
    /// Everything that a normal build of it brings in, itself not counted.
    pub(super) reached: BTreeSet<String>,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it belongs to the code of a package as built for users: not to its tests or examples.
    pub(super) fn is_source_of(&self, folder: &str) -> bool {
        let rest = self.path.strip_prefix(folder).and_then(|rest| rest.strip_prefix("/src/"));
        let is_test = |rest: &str| rest.split('/').any(|part| part == "tests.rs" || part == "tests");
        self.is_rust() && rest.is_some_and(|rest| !is_test(rest))
    }

    /// The lines, numbered as an editor does.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

impl Tree {
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let lock = workspace.path("Cargo.lock");
        let lock = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
        Ok(Self {
            files: files(workspace)?,
            packages: packages(&workspace.metadata(&["--filter-platform", &host()?])?)?,
            packages_locked: lock.lines().filter(|line| *line == "[[package]]").count(),
        })
    }
}

/// Every text file that is committed or could be: what git ignores is not ours to judge.
fn files(workspace: &Workspace) -> Result<Vec<File>> {
    let output = Command::new("git")
        .current_dir(workspace.root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("cannot run git, which names the files to check")?;
    ensure!(
        output.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    let mut files = Vec::new();
    for path in names.split('\0').filter(|path| !path.is_empty()) {
        // A file that was deleted but not yet committed, or that is not text, has nothing to check.
        if let Ok(text) = fs::read_to_string(workspace.path(path)) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

/// Our packages, from the whole of `cargo metadata`.
fn packages(metadata: &Value) -> Result<Vec<Package>> {
    let texts = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut names = BTreeMap::new();
    for package in texts(&metadata["packages"]) {
        names.insert(text(&package["id"])?, text(&package["name"])?);
    }
    let mut normal: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in texts(&metadata["resolve"]["nodes"]) {
        let dependencies = normal.entry(text(&node["id"])?).or_default();
        for dependency in texts(&node["deps"]) {
            if texts(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                dependencies.push(text(&dependency["pkg"])?);
            }
        }
    }
    let members: BTreeSet<String> =
        texts(&metadata["workspace_members"]).iter().map(text).collect::<Result<_>>()?;
    let mut packages = Vec::new();
    for package in texts(&metadata["packages"]) {
        let id = text(&package["id"])?;
        if !members.contains(&id) {
            continue;
        }
        let mut ours = Package { name: text(&package["name"])?, ..Package::default() };
        for dependency in texts(&package["dependencies"]) {
            let list = if dependency["kind"].is_null() { &mut ours.direct } else { &mut ours.development };
            list.insert(text(&dependency["name"])?);
        }
        ours.reached = reach(&id, &normal).iter().filter_map(|reached| names.get(reached).cloned()).collect();
        packages.push(ours);
    }
    Ok(packages)
}

/// Everything below `start`, without it.
fn reach(start: &str, edges: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut todo = edges.get(start).cloned().unwrap_or_default();
    while let Some(next) = todo.pop() {
        if seen.insert(next.clone()) {
            todo.extend(edges.get(&next).cloned().unwrap_or_default());
        }
    }
    seen
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).context("cargo metadata lacks a text where one is promised")
}

/// The triple of the machine that compiles.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

#[cfg(test)]
pub(super) mod samples {
    //! Small trees for the rules' tests.

    use super::{File, Package, Tree};

    /// A tree of one file.
    pub(in crate::tidy) fn file(path: &str, text: &str) -> Tree {
        Tree { files: vec![File { path: path.into(), text: text.into() }], ..Tree::default() }
    }

    /// A tree of one package.
    pub(in crate::tidy) fn package(name: &str, direct: &[&str], reached: &[&str]) -> Tree {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let package =
            Package { name: name.into(), direct: set(direct), reached: set(reached), ..Package::default() };
        Tree { packages: vec![package], ..Tree::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn normal_dependencies_are_followed_and_those_of_tests_are_not() {
        let kind = |kind: Value| json!([{ "kind": kind }]);
        let metadata = json!({
            "workspace_members": ["1"],
            "packages": [
                {"id": "1", "name": "ours", "dependencies": [
                    {"name": "a", "kind": null}, {"name": "t", "kind": "dev"}]},
                {"id": "2", "name": "a", "dependencies": []},
                {"id": "3", "name": "b", "dependencies": []},
                {"id": "4", "name": "t", "dependencies": []}],
            "resolve": {"nodes": [
                {"id": "1", "deps": [
                    {"pkg": "2", "dep_kinds": kind(Value::Null)}, {"pkg": "4", "dep_kinds": kind(json!("dev"))}]},
                {"id": "2", "deps": [{"pkg": "3", "dep_kinds": kind(Value::Null)}]}]},
        });
        let packages = packages(&metadata).expect("well formed");
        assert_eq!(packages.len(), 1);
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&packages[0].direct), ["a"]);
        assert_eq!(names(&packages[0].development), ["t"]);
        assert_eq!(names(&packages[0].reached), ["a", "b"]);
    }
}
