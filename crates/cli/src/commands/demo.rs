//! `loveless demo`: the story of a server-loveless application, told for real on this machine.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::demo::{self, Mode};

/// Tell the whole story on this machine: upload, Lambda, timeout, migration, runner, crashes. Exit code 0 only if
/// every step holds.
#[derive(Args)]
pub(crate) struct Demo {
    /// Write what was asserted to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep the server's data here instead of in a new temporary folder. It must be empty or absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run the function as local processes, even where a Docker engine answers.
    #[arg(long, conflicts_with = "containers")]
    processes: bool,
    /// Run the function as containers; without a Docker engine the demo fails.
    #[arg(long)]
    containers: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        let mode = match (self.processes, self.containers) {
            (true, _) => Mode::Processes,
            (_, true) => Mode::Containers,
            _ => Mode::Automatic,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(demo::run(mode, self.data, self.report))
    }
}
