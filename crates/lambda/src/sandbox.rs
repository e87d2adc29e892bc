//! A sandbox: one runtime of one function, with a Runtime API of its own, running one invocation at a time.
//!
//! ```text
//!   start ──► started? ──► invoke ──► invoke ──► … ──► stop
//!                 │            └─ exited, timed out, out of memory: the sandbox is spent
//!                 └─ failed, exited, too slow
//! ```
//!
//! It knows time limits and exits; what runs (a process, a container) hides behind a handle, whose maker watches
//! it in a task of its own. Dropping a sandbox kills what it runs. Whether to start another is the pool's business.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    failure::{ErrorBody, Exit},
    logs::Logs,
    process::Watched,
    runtime_api::{Invocation, Outcome, RuntimeApi},
};

/// A running sandbox.
#[derive(Debug)]
pub struct Sandbox {
    api: RuntimeApi,
    runtime: Runtime,
    logs: Logs,
}

/// Something that runs a function, as its maker hands it over.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// Set once, when nothing of it is left.
    pub(crate) exit: watch::Receiver<Option<Exit>>,
    /// Cancelled by this guard's drop; the maker's task then kills the runtime.
    pub(crate) stop: DropGuard,
    /// The process to look at, where no engine does that for us.
    pub(crate) process: Option<Watched>,
}

/// Why no sandbox could be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The start command cannot be run: the function's fault.
    #[error("{0}")]
    Entrypoint(String),
    /// The image is not there or not one that this machine runs: the function's fault.
    #[error("{0}")]
    Image(String),
    /// The machine or the container engine refused: not the function's fault.
    #[error("{0}")]
    Machine(String),
}

/// How the wait for a new sandbox ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// It asks for events.
    Ready,
    /// Its runtime reported an error.
    Failed(ErrorBody),
    /// Its runtime is gone.
    Exited(Exit),
    /// It was still starting when the limit was reached.
    TooSlow,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The runtime answered.
    Answered(Outcome),
    /// The runtime is gone.
    Exited {
        /// How it went.
        exit: Exit,
        /// Whether it had taken the invocation. If not, none of it has run.
        taken: bool,
    },
    /// The limit was reached; the runtime has been killed.
    TimedOut,
}

impl Sandbox {
    pub(crate) fn assemble(api: RuntimeApi, runtime: Runtime, logs: Logs) -> Sandbox {
        Sandbox { api, runtime, logs }
    }

    /// Waits until the runtime asks for its first event; without a limit, for as long as it takes.
    pub async fn started(&mut self, limit: Option<Duration>) -> Started {
        let over = tokio::select! {
            biased;
            started = self.api.started() => return match started {
                Ok(()) => Started::Ready,
                Err(error) => Started::Failed(error),
            },
            exit = gone(&mut self.runtime.exit) => return Started::Exited(exit),
            () = over_memory(&self.runtime.process) => Over::Memory,
            () = after(limit) => Over::Time,
        };
        let exit = self.kill().await;
        match over {
            Over::Memory => Started::Exited(out_of_memory(exit)),
            Over::Time => Started::TooSlow,
        }
    }

    /// Runs one invocation; without a limit, for as long as it takes.
    ///
    /// Dropping the future leaves the sandbox in the middle of it: drop the sandbox too.
    pub async fn invoke(&mut self, invocation: Invocation, limit: Option<Duration>) -> Ending {
        let over = tokio::select! {
            biased;
            outcome = self.api.invoke(invocation) => return Ending::Answered(outcome),
            exit = gone(&mut self.runtime.exit) => {
                let taken = self.api.was_taken();
                return Ending::Exited { exit, taken };
            }
            () = over_memory(&self.runtime.process) => Over::Memory,
            () = after(limit) => Over::Time,
        };
        let exit = self.kill().await;
        match over {
            Over::Memory => Ending::Exited { exit: out_of_memory(exit), taken: true },
            Over::Time => Ending::TimedOut,
        }
    }

    /// Whether the runtime is still there.
    ///
    /// For a process the kernel is asked: its watcher may not have been told yet, and an event handed to a runtime
    /// that is dead already would count as taken, because its connection is still open on our side.
    pub fn is_alive(&self) -> bool {
        self.runtime.exit.borrow().is_none() && self.runtime.process.as_ref().is_none_or(Watched::is_alive)
    }

    /// What it wrote.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Most memory that it ever held, in MB, where that can be told.
    pub fn memory_mb_peak(&self) -> Option<u64> {
        self.runtime.process.as_ref().and_then(Watched::memory_mb_peak)
    }

    /// Kills the runtime and waits until nothing of it is left.
    pub async fn stop(mut self) {
        self.kill().await;
    }

    async fn kill(&mut self) -> Exit {
        let spent = CancellationToken::new().drop_guard();
        drop(std::mem::replace(&mut self.runtime.stop, spent));
        gone(&mut self.runtime.exit).await
    }
}

enum Over {
    Time,
    Memory,
}

/// Waits for the end of a runtime. A watcher that is gone itself (it panicked, or tokio is shutting down) ends it too.
async fn gone(exit: &mut watch::Receiver<Option<Exit>>) -> Exit {
    let lost = || Exit { problem: Some("its watcher ended".to_owned()), ..Exit::default() };
    exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone()).unwrap_or_else(lost)
}

async fn over_memory(watched: &Option<Watched>) {
    match watched {
        Some(watched) => watched.over_memory().await,
        None => std::future::pending().await,
    }
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn out_of_memory(exit: Exit) -> Exit {
    Exit { out_of_memory: true, ..exit }
}
