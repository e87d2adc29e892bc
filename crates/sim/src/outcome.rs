//! What came of a simulated execution.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{Execution, Failure, HistoryEvent, HistoryKind, PayloadId, StateType, Status};

/// One entry of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its name.
    pub state: Arc<str>,
    /// Its type.
    pub kind: StateType,
    /// When, in milliseconds since the start.
    pub at_ms: i64,
}

/// What came of an execution, and everything that it told on its way.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What it returned, if it succeeded.
    pub output: Option<Arc<str>>,
    /// Why it failed.
    pub failure: Failure,
    /// The states in the order in which they were entered, those of branches and iterations among them.
    pub path: Vec<Visit>,
    /// How long it took on its own clock.
    pub took_ms: i64,
    /// Its history.
    pub history: Vec<HistoryEvent>,
    texts: HashMap<PayloadId, Arc<str>>,
}

/// The states that a history enters.
pub(crate) fn path(execution: &Execution, history: &[HistoryEvent]) -> Vec<Visit> {
    let started_ms = execution.facts().started_ms;
    let visit = |event: &HistoryEvent| match &event.kind {
        HistoryKind::StateEntered { state, name, .. } => {
            Some(Visit { state: name.clone(), kind: *state, at_ms: event.at_ms - started_ms })
        }
        _ => None,
    };
    history.iter().filter_map(visit).collect()
}

impl Outcome {
    pub(crate) fn new(
        execution: &Execution,
        history: Vec<HistoryEvent>,
        texts: HashMap<PayloadId, Arc<str>>,
    ) -> Outcome {
        let started_ms = execution.facts().started_ms;
        Outcome {
            status: execution.status,
            output: execution.output.and_then(|id| texts.get(&id).cloned()),
            failure: execution.failure.clone().unwrap_or_default(),
            path: path(execution, &history),
            took_ms: execution.stopped_ms.map_or(0, |stopped_ms| stopped_ms - started_ms),
            history,
            texts,
        }
    }

    /// The text of a payload that the history names.
    pub fn text(&self, id: PayloadId) -> Option<&str> {
        self.texts.get(&id).map(|text| &**text)
    }
}
