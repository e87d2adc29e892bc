//! `cargo xtask bench`: the measurements of `bench/`, built as users build, so that figures compare.
//!
//! It only starts them. No figure is judged here: what must hold is counted by the tests of `bench/`, and times differ
//! from machine to machine.

use anyhow::{Result, bail};

use crate::command::heading;
use crate::workspace::Workspace;

/// Runs the benchmark; its output is the command's own, so that `--json` can be read by a program.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let as_json = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--json"] => true,
        other => bail!("bench takes --json, not '{}'", other.join(" ")),
    };
    let mut command = workspace.cargo(&["run", "--quiet", "--release", "--package", "bench-payloads", "--"]);
    if as_json {
        command.arg("--json");
    } else {
        heading("payloads: what a chain of states costs");
    }
    Ok(command.status()?.success())
}
