//! The virtual environment with the unmodified AWS clients, in the build folder.
//!
//! Made once and kept until `requirements.txt` changes: a copy of that file inside the environment says what was
//! installed, and is written last, so that an interrupted installation is done again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{must, succeeds};
use crate::system::{Install, apt_install};
use crate::workspace::Workspace;

const STAMP: &str = "requirements.installed";

/// Sets the environment up if need be, and returns its Python.
pub(crate) fn ensure(workspace: &Workspace, install: Install) -> Result<PathBuf> {
    let venv = workspace.scratch("venv");
    let python = venv.join("bin/python");
    let requirements = workspace.path("xtask/requirements.txt");
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let stamp = venv.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && runs(&python) {
        return Ok(python);
    }
    create(&venv, install)?;
    must(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements),
    )
    .context("cannot install the Python clients; is a package index reachable by pip?")?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

fn create(venv: &Path, install: Install) -> Result<()> {
    if venv.exists() {
        fs::remove_dir_all(venv).with_context(|| format!("cannot remove {}", venv.display()))?;
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(venv);
    if succeeds(&mut make) && venv.join("bin/pip").exists() {
        return Ok(());
    }
    // Debian's Python comes without the module that puts pip into an environment.
    apt_install(&["python3", "python3-venv"], install).context("Python's venv module")?;
    must(&mut make).context("cannot create the virtual environment")
}

fn runs(python: &Path) -> bool {
    succeeds(Command::new(python).args(["-c", "import boto3, awscli, awslambdaric, pytest"]))
}
