//! Packages of npm in the build folder, each in a version of its own.
//!
//! Knows how one is fetched; refuses to know what for. Nothing of a package runs while it is installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::must;
use crate::system::{Install, apt_install, has_program};
use crate::workspace::Workspace;

/// The JavaScript SDK for Step Functions, as the client tests use it.
const CLIENT: Package = Package { name: "@aws-sdk/client-sfn", version: "3.1164.0" };

/// A package in one version.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// Fetches the JavaScript SDK if need be, and returns the folder around its `node_modules`.
pub(crate) fn client(workspace: &Workspace, install: Install) -> Result<PathBuf> {
    CLIENT.ensure(workspace, install, "node")
}

impl Package {
    /// Fetches the package into a folder of that name if it is not there, and returns the folder around its
    /// `node_modules`.
    pub(crate) fn ensure(&self, workspace: &Workspace, install: Install, folder: &str) -> Result<PathBuf> {
        let folder = workspace.scratch(folder);
        let manifest = folder.join("node_modules").join(self.name).join("package.json");
        let there = fs::read_to_string(manifest)
            .ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok())
            .is_some_and(|manifest| manifest["version"] == self.version);
        if there {
            return Ok(folder);
        }
        if !has_program("npm") {
            apt_install(&["npm"], install).context("npm")?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let wanted = format!("{}@{}", self.name, self.version);
        must(
            Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"])
                .args([&wanted, "--prefix"])
                .arg(&folder),
        )
        .with_context(|| format!("cannot fetch {wanted}; is a package registry reachable by npm?"))?;
        Ok(folder)
    }
}
