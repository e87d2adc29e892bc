//! File systems to break: made in a file or in memory, mounted for one test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mounted file system; unmounted when dropped.
pub(crate) struct Mount {
    point: TempDir,
}

impl Mount {
    /// Makes an ext4 file system of `megabytes` in the file and mounts it.
    pub(crate) fn new_ext4(image: &Path, megabytes: u64) -> Result<Self, String> {
        let file = std::fs::File::create(image).map_err(|error| error.to_string())?;
        file.set_len(megabytes << 20).map_err(|error| error.to_string())?;
        run("mkfs.ext4", ["-q".as_ref(), "-F".as_ref(), image.as_os_str()])?;
        Self::image(image)
    }

    /// Mounts the file system in the file.
    pub(crate) fn image(image: &Path) -> Result<Self, String> {
        let point = tempfile::tempdir().map_err(|error| error.to_string())?;
        run("mount", ["-o".as_ref(), "loop".as_ref(), image.as_os_str(), point.path().as_os_str()])?;
        Ok(Self { point })
    }

    /// Mounts an empty file system in memory.
    pub(crate) fn memory(kilobytes: u64) -> Result<Self, String> {
        let point = tempfile::tempdir().map_err(|error| error.to_string())?;
        let size = format!("size={kilobytes}k");
        let mount = ["-t", "tmpfs", "-o", &size, "tmpfs"].map(OsStr::new);
        run("mount", mount.into_iter().chain([point.path().as_os_str()]))?;
        Ok(Self { point })
    }

    /// Gives a file system in memory another size.
    pub(crate) fn resize(&self, kilobytes: u64) {
        let size = format!("remount,size={kilobytes}k");
        run("mount", ["-o".as_ref(), size.as_ref(), self.point.path().as_os_str()]).unwrap();
    }

    /// A data folder on it.
    pub(crate) fn folder(&self) -> PathBuf {
        self.point.path().join("data")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, so that a process that is still on its way out does not keep it.
        if let Err(error) = run("umount", ["-l".as_ref(), self.point.path().as_os_str()]) {
            eprintln!("a mount is left behind: {error}");
        }
    }
}

/// Runs a command; its complaint is the error.
pub(crate) fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
