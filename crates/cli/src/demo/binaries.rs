//! The two programs that the demo needs besides this one: the runner and the rolling ball, linked statically.
//!
//! A release has them beside `loveless`. In a checkout they are built by cargo, once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where the programs are.
pub(crate) struct Binaries {
    pub(crate) runner: PathBuf,
    pub(crate) function: PathBuf,
}

const RUNNER: &str = "loveless-runner";
const FUNCTION: &str = "rolling-ball";

impl Binaries {
    /// Builds the programs in a checkout, or finds them beside this one.
    pub(crate) fn find_or_build() -> Result<Binaries> {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        if checkout.join("demo/rolling-ball/Cargo.toml").is_file() {
            return build(&checkout);
        }
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let folder = program.parent().context("this program is in no folder")?;
        let found = Binaries { runner: folder.join(RUNNER), function: folder.join(FUNCTION) };
        for file in [&found.runner, &found.function] {
            ensure!(
                file.is_file(),
                "{} is not there: put it beside `loveless`, or run the demo from a checkout",
                file.display()
            );
        }
        Ok(found)
    }
}

/// Builds both for this machine; on Linux static, so that they run in an image FROM scratch.
fn build(checkout: &Path) -> Result<Binaries> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = checkout.join("target");
    let mut command = Command::new(cargo);
    command.current_dir(checkout).args(["build", "--release", "--quiet", "-p", RUNNER, "-p", FUNCTION]);
    command.arg("--target-dir").arg(&target);
    let built = if cfg!(target_os = "linux") {
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        command.env("RUSTFLAGS", "-C target-feature=+crt-static").args(["--target", &triple]);
        target.join(triple).join("release")
    } else {
        target.join("release")
    };
    let status = command.status().context("cargo cannot be started")?;
    ensure!(status.success(), "cargo could not build the runner and the function");
    let at = |name| built.join(name).canonicalize().with_context(|| format!("cargo built no {name}"));
    Ok(Binaries { runner: at(RUNNER)?, function: at(FUNCTION)? })
}
