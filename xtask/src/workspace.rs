//! Where things are: the checkout, its build folder, and the folder beside it that holds shared data.
//!
//! Knows paths only, not what is done with them. Everything that xtask makes lies under `target/xtask`, so that
//! `cargo clean` takes all of it away and nothing is cached outside the checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The checkout that this xtask was built from.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the root from where this crate was built, and the build folder from cargo, which knows the
    /// overrides (`CARGO_TARGET_DIR`, configuration).
    pub(crate) fn locate() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the folder of xtask has no parent: it must lie in the workspace's root")?
            .to_path_buf();
        let mut workspace = Self { target: root.join("target"), root };
        let metadata = workspace.metadata(&["--no-deps"])?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target_directory")?;
        workspace.target = PathBuf::from(target);
        Ok(workspace)
    }

    /// The root of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file or folder of the checkout.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Cargo's build folder.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Our own part of the build folder.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.target.join("xtask").join(name)
    }

    /// A folder of data shared by several checkouts, if it lies beside this one.
    pub(crate) fn shared(&self, name: &str) -> Option<PathBuf> {
        let folder = self.root.parent()?.join("shared").join(name);
        folder.is_dir().then_some(folder)
    }

    /// A command of cargo's, run in the root by the same cargo that runs us.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// What `cargo metadata` says of this workspace.
    pub(crate) fn metadata(&self, arguments: &[&str]) -> Result<Value> {
        let output = self
            .cargo(&["metadata", "--format-version", "1"])
            .args(arguments)
            .output()
            .context("cannot run cargo metadata")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        serde_json::from_slice(&output.stdout).context("cargo metadata printed something that is not JSON")
    }
}
