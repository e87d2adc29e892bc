//! The demo as a test: the whole story, told with processes, and with containers where an engine answers.
//!
//! The demo asserts by itself; this step reads its report, so that each assertion counts as one check.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{heading, watch};
use crate::tally::{Counts, Tally};
use crate::workspace::Workspace;

/// Tells the story in one mode: `processes` or `containers`.
pub(crate) fn check(workspace: &Workspace, binary: &Path, mode: &str, tally: &mut Tally) {
    heading(&format!("the demo, with {mode}"));
    if let Err(error) = tell(workspace, binary, mode, tally) {
        tally.fail(&format!("the demo, with {mode}: {error:#}"));
    }
}

fn tell(workspace: &Workspace, binary: &Path, mode: &str, tally: &mut Tally) -> Result<()> {
    let report = workspace.scratch(&format!("demo-{mode}.json"));
    let data = workspace.scratch(&format!("demo-{mode}"));
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    let mut command = Command::new(binary);
    command.current_dir(workspace.root());
    command.arg("demo").arg(format!("--{mode}"));
    command.arg("--data").arg(data.join("data")).arg("--report").arg(&report);
    let succeeded = watch(&mut command, |_| {})?;
    let text = fs::read_to_string(&report).with_context(|| format!("cannot read {}", report.display()))?;
    let counts = assertions(&serde_json::from_str(&text)?);
    tally.step(&format!("the demo, with {mode}"), counts, succeeded);
    Ok(())
}

/// How many assertions held and how many did not.
fn assertions(report: &Value) -> Counts {
    let steps = report["steps"].as_array().into_iter().flatten();
    let mut counts = Counts::default();
    for assertion in steps.flat_map(|step| step["assertions"].as_array().into_iter().flatten()) {
        if assertion["holds"] == true {
            counts.passed += 1;
        } else {
            counts.failed += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_are_counted_over_all_steps() {
        let report = serde_json::json!({"steps": [
            {"assertions": [{"holds": true}, {"holds": true}]}, {"assertions": [{"holds": false}]}, {}]});
        let counts = assertions(&report);
        assert_eq!((counts.passed, counts.failed), (2, 1));
    }
}
