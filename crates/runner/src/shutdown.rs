//! Signals and the stages of an end: drain, then kill, or at once.
//!
//! It knows when; what each stage means is told by those who watch it.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the first signal sets off, for those who work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stages {
    /// Take nothing new.
    pub(crate) draining: CancellationToken,
    /// Give up what runs.
    pub(crate) killed: CancellationToken,
}

/// The watch for signals.
#[derive(Debug)]
pub(crate) struct Shutdown {
    stages: Stages,
    at_once: CancellationToken,
}

impl Shutdown {
    /// Watches for SIGTERM and SIGINT. The first begins the drain, which ends in a kill after `grace`.
    pub(crate) fn on_signals(grace: Duration) -> Result<Shutdown, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        let (mut terminate, mut interrupt) =
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        let (stages, at_once) = (Stages::default(), CancellationToken::new());
        let shutdown = Shutdown { stages: stages.clone(), at_once: at_once.clone() };
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            next().await;
            tracing::info!(?grace, "draining: no new task is taken, running ones may end");
            stages.draining.cancel();
            tokio::select! {
                () = tokio::time::sleep(grace) => stages.killed.cancel(),
                () = next() => return at_once.cancel(),
            }
            next().await;
            at_once.cancel();
        });
        Ok(shutdown)
    }

    pub(crate) fn stages(&self) -> Stages {
        self.stages.clone()
    }

    /// Returns at the second signal.
    pub(crate) async fn at_once(&self) {
        self.at_once.cancelled().await;
    }
}
