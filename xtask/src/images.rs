//! Builds what goes into containers: static binaries, and images `FROM scratch` around them.
//!
//! The binaries are built for the GNU target with the C library linked in, because that target needs no download;
//! whether they are static is read from the file itself and not believed. Images are built only where a Docker engine
//! answers: the binaries alone are of use without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{heading, must};
use crate::docker;
use crate::workspace::Workspace;

/// An image: the package whose binary it holds, and its Dockerfile, which names everything else.
struct Image {
    package: &'static str,
    dockerfile: &'static str,
}

/// In the order in which they stand on each other.
const IMAGES: [Image; 2] = [
    Image { package: "loveless-runner", dockerfile: "crates/runner/Dockerfile" },
    Image { package: "rolling-ball", dockerfile: "demo/rolling-ball/Dockerfile" },
];

/// The command by itself.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    heading("static binaries");
    let mut build = workspace.cargo(&["build", "--release", "--target", &target]);
    for image in &IMAGES {
        build.args(["-p", image.package]);
    }
    must(build.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    let built = workspace.target().join(&target).join("release");
    let docker = docker::answers();
    for image in &IMAGES {
        let folder = lay_out(workspace, &built, image)?;
        if docker {
            heading(&format!("image {}", image.package));
            must(Command::new("docker").args(["build", "--tag", image.package]).arg(&folder))?;
        }
    }
    if !docker {
        println!("skipped: images: no Docker engine answers; the static binaries are in target/images");
    }
    Ok(true)
}

/// Puts the binary and the Dockerfile into a folder of their own, which is all that the engine is sent.
fn lay_out(workspace: &Workspace, built: &Path, image: &Image) -> Result<PathBuf> {
    let folder = workspace.target().join("images").join(image.package);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let binary = folder.join(image.package);
    fs::copy(built.join(image.package), &binary)
        .with_context(|| format!("cannot copy {} to {}", image.package, binary.display()))?;
    let bytes = fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;
    ensure!(
        is_static(&bytes),
        "{} asks for a dynamic loader: it would not run FROM scratch",
        binary.display()
    );
    fs::copy(workspace.path(image.dockerfile), folder.join("Dockerfile"))
        .with_context(|| format!("cannot copy {}", image.dockerfile))?;
    println!("{}: {} bytes, static", binary.display(), bytes.len());
    Ok(folder)
}

/// Whether a 64-bit little-endian ELF file asks for no loader (has no `PT_INTERP` segment).
fn is_static(elf: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
        let part = bytes.get(at..at.checked_add(length)?)?;
        Some(part.iter().rev().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
    }
    let has_loader = || {
        let (table, size, count) = (number(elf, 32, 8)?, number(elf, 54, 2)?, number(elf, 56, 2)?);
        let kinds: Option<Vec<usize>> =
            (0..count).map(|index| number(elf, table + index * size, 4)).collect();
        Some(kinds?.contains(&(PT_INTERP as usize)))
    };
    elf.starts_with(b"\x7fELF\x02\x01") && has_loader() == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(kinds: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = kinds.len() as u8;
        for kind in kinds {
            let mut segment = vec![*kind];
            segment.resize(56, 0);
            bytes.extend(segment);
        }
        bytes
    }

    #[test]
    fn a_file_with_a_loader_is_not_static() {
        assert!(is_static(&elf(&[1, 2])));
        assert!(!is_static(&elf(&[1, 3])));
    }

    #[test]
    fn what_cannot_be_read_is_not_called_static() {
        assert!(!is_static(b"#!/bin/sh"));
        let whole = elf(&[1, 2]);
        assert!(!is_static(&whole[..whole.len() - 60]));
    }

    #[test]
    fn this_very_test_binary_is_judged() {
        let own = fs::read(std::env::current_exe().expect("we run")).expect("our file can be read");
        // Built for the host without `crt-static`, it asks for the system's loader.
        assert!(!is_static(&own));
    }
}
