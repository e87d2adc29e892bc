//! The program that tests the AWS SDK for Rust: built below the build folder, in a workspace of its own.
//!
//! The SDK is two hundred packages that nothing of ours needs, so our lock file must not name them.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::must;
use crate::workspace::Workspace;

const MANIFEST: &str = "tests/clients/rust/Cargo.toml";
const PROGRAM: &str = "rust-client";

/// Builds the program, and says where it is.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.scratch(PROGRAM);
    let mut command = workspace.cargo(&["build", "--quiet", "--locked", "--manifest-path", MANIFEST]);
    must(command.arg("--target-dir").arg(&target))
        .context("cannot build the Rust SDK's program; is a package registry reachable by cargo?")?;
    Ok(target.join("debug").join(PROGRAM))
}
