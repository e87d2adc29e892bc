//! Virtual environments with unmodified AWS clients, in the build folder: one for nearly everything, and one for the
//! Data Science SDK, which needs old releases of what others need new.
//!
//! Each is made once and kept until its list of requirements changes: a copy of the list inside the environment says
//! what was installed, and is written last, so that an interrupted installation is done again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{must, succeeds};
use crate::system::{Install, apt_install};
use crate::workspace::Workspace;

const STAMP: &str = "requirements.installed";

/// One environment.
struct Environment {
    /// Its folder below ours.
    folder: &'static str,
    /// What is installed in it.
    requirements: &'static str,
    /// Modules that tell whether it works.
    modules: &'static str,
}

const CLIENTS: Environment = Environment {
    folder: "venv",
    requirements: "xtask/requirements.txt",
    modules: "boto3, awscli, awslambdaric, pytest, stefuna, stepfunctions_activity_worker, heaviside",
};

/// Its modules take seconds to import: that one of them is there must do.
const DATA_SCIENCE: Environment = Environment {
    folder: "venv-datascience",
    requirements: "xtask/requirements-datascience.txt",
    modules: "boto3",
};

/// Sets the clients' environment up if need be, and returns its Python.
pub(crate) fn ensure(workspace: &Workspace, install: Install) -> Result<PathBuf> {
    CLIENTS.ensure(workspace, install)
}

/// The same for the Data Science SDK; nothing where Python is older than its pinned packages.
pub(crate) fn ensure_data_science(workspace: &Workspace, install: Install) -> Result<Option<PathBuf>> {
    let is_new = "import sys; sys.exit(sys.version_info < (3, 11))";
    if !succeeds(Command::new("python3").args(["-c", is_new])) {
        return Ok(None);
    }
    DATA_SCIENCE.ensure(workspace, install).map(Some)
}

impl Environment {
    fn ensure(&self, workspace: &Workspace, install: Install) -> Result<PathBuf> {
        let venv = workspace.scratch(self.folder);
        let python = venv.join("bin/python");
        let requirements = workspace.path(self.requirements);
        let wanted = fs::read_to_string(&requirements)
            .with_context(|| format!("cannot read {}", requirements.display()))?;
        let stamp = venv.join(STAMP);
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && self.runs(&python) {
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

    fn runs(&self, python: &Path) -> bool {
        succeeds(Command::new(python).args(["-c", &format!("import {}", self.modules)]))
    }
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
