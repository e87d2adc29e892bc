//! The demo: one image, one machine, and everything that can happen to them.
//!
//! An image that is dropped into a bucket starts an execution that removes its background. A small one is done by
//! Lambda; a large one outruns it; its task moves to an activity by an edit of the definition alone, and a runner does
//! it with the same function, through a crash of the server and the death of a worker. Everything is real: a server of
//! its own, its API over HTTP, honest work. Each step is asserted.

mod binaries;
mod client;
mod definition;
mod images;
mod processes;
mod report;
mod story;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::demo::images::Images;
use crate::demo::report::Report;
use crate::demo::story::Story;

/// How the function runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As containers where a Docker engine answers, as processes otherwise.
    Automatic,
    /// As processes.
    Processes,
    /// As containers, or not at all.
    Containers,
}

/// Tells the story; `Ok` only if every step holds.
pub(crate) async fn run(mode: Mode, data: Option<PathBuf>, report_file: Option<PathBuf>) -> Result<()> {
    let mut report = Report::new();
    let outcome = tell(mode, data, &mut report).await;
    report.write(report_file.as_deref(), &outcome)?;
    outcome
}

async fn tell(mode: Mode, data: Option<PathBuf>, report: &mut Report) -> Result<()> {
    println!("Loveless: the same image, pushed or pulled");
    report.step('0', "Getting ready");
    report.say("building the runner and the function, once");
    let binaries = tokio::task::spawn_blocking(binaries::Binaries::find_or_build).await??;
    let images = match mode {
        Mode::Processes => None,
        Mode::Automatic | Mode::Containers => match Images::engine().await {
            Some(docker) => Some(Images::build(docker, &binaries).await?),
            None => {
                ensure!(
                    mode == Mode::Automatic,
                    "no Docker engine answers: start one (or set DOCKER_HOST), or run the demo with --processes"
                );
                None
            }
        },
    };
    match &images {
        Some(images) => {
            report.say(&format!("a Docker engine answers: the function runs as image {}", images.digest))
        }
        None => report.say("the function runs as local processes"),
    }
    let data = fresh_folder(data)?;
    let mut story = Story::begin(binaries, images, data, report).await?;
    let told = story.tell(report).await;
    story.clean_up().await;
    told?;
    story.how_to_go_on(report);
    Ok(())
}

/// The server's data folder: empty, and kept afterwards.
fn fresh_folder(data: Option<PathBuf>) -> Result<PathBuf> {
    let Some(folder) = data else {
        let folder =
            tempfile::Builder::new().prefix("loveless-demo-").tempdir().context("no temporary folder")?;
        return Ok(folder.keep().join("data"));
    };
    if folder.exists() {
        let empty = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
        ensure!(empty, "{} is not an empty folder: the demo needs a fresh one", folder.display());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    Ok(folder)
}
