//! The pure crates compile for wasm, where there is no file system, thread or clock to lean on.
//!
//! The strongest check of purity, made where the target's standard library is installed; no download is started for
//! it. Elsewhere it is reported as skipped, and the other rules of purity still hold.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::has_target;
use super::purity::PURE;
use crate::command::watch;
use crate::tally::Tally;
use crate::workspace::Workspace;

const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles the pure crates for wasm, if that can be done here.
pub(super) fn check(workspace: &Workspace, tally: &mut Tally) -> Result<()> {
    let name = "tidy: the pure crates compile for wasm";
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().context("cannot run rustc")?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !has_target(&sysroot, TARGET) {
        tally.skip(name, &format!("the target is not installed (`rustup target add {TARGET}`)"));
        return Ok(());
    }
    let mut command = workspace.cargo(&["check", "--target", TARGET]);
    for (package, _) in PURE {
        command.args(["-p", package]);
    }
    let compiles = watch(&mut command, |_| ())?;
    tally.check(name, compiles);
    Ok(())
}
