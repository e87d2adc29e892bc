//! The system's package manager, used only when that was asked for.
//!
//! A developer's machine is theirs: without `--install` (or `CI=true`) nothing outside the checkout is touched, and
//! what is absent is reported as skipped with the command that would install it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{must, succeeds};

/// Whether the system's package manager may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// By `--install`, or on a CI machine.
    Allowed,
    /// Report what is absent instead.
    Refused,
}

impl Install {
    /// `--install` says yes; so does `CI=true`, where the machine is thrown away afterwards.
    pub(crate) fn from(flag: bool) -> Self {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        if flag || ci { Self::Allowed } else { Self::Refused }
    }
}

/// Whether we may write to the system.
pub(crate) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Whether a program of that name is on the path.
pub(crate) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(Path::new);
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
        || system.iter().any(|folder| folder.join(name).is_file())
}

/// Installs Debian packages; an error says what to do by hand.
pub(crate) fn apt_install(packages: &[&str], install: Install) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if install == Install::Refused {
        bail!("not installed; run again with --install, or `{by_hand}`");
    }
    ensure!(is_root(), "not installed, and only root can install it: `{by_hand}`");
    ensure!(has_program("apt-get"), "not installed, and this system has no apt-get");
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    if succeeds(&mut apt(&arguments)) {
        return Ok(());
    }
    // A new machine has no package lists, an old one has stale lists: fetch them only when the first try fails.
    must(&mut apt(&["update"])).context("cannot fetch the package lists")?;
    must(&mut apt(&arguments)).with_context(|| format!("`{by_hand}` failed"))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_leave_nothing_is_installed_and_the_remedy_is_named() {
        let error = apt_install(&["docker.io"], Install::Refused).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "not installed; run again with --install, or `apt-get install docker.io`"
        );
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-anywhere"));
    }
}
