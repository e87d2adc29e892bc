//! Formatting and lints, with warnings denied.

use anyhow::Result;

use crate::command::{heading, watch};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The command by itself.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut tally = Tally::default();
    check(workspace, &mut tally)?;
    Ok(tally.close())
}

/// Both checks; each counts as one.
pub(crate) fn check(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    heading("formatting");
    let formatted = watch(&mut workspace.cargo(&["fmt", "--all", "--check"]), |_| ())?;
    tally.check("formatting: `cargo fmt --all` mends it", formatted);
    heading("lints");
    let clean = watch(
        &mut workspace.cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ]),
        |_| (),
    )?;
    tally.check("lints: see the messages of clippy above", clean);
    Ok(())
}
