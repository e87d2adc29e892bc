//! The journal of a run, and the proof that it is enough: after every step, the execution that was rebuilt from the
//! bytes of the journal is the one that decided, whatever the cut between checkpoint and redo.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{Chunk, Execution, PayloadId, Transition};

/// Beyond this many steps a run tries some of the cuts, evenly spread, for the work is quadratic.
const CUTS_MAX: usize = 40;

/// What a store would hold of one execution.
#[derive(Default)]
pub(crate) struct Mirror {
    /// The bytes of each step.
    chunks: Vec<Vec<u8>>,
    /// The checkpoint after each step; the first one is of an execution that has not begun.
    checkpoints: Vec<Vec<u8>>,
    /// Rebuilt from the chunks alone, one by one.
    redone: Execution,
    /// Where the text of a payload is found: in the chunk that named it.
    texts: HashMap<PayloadId, Arc<str>>,
}

impl Mirror {
    pub(crate) fn new() -> Self {
        Mirror { checkpoints: vec![Execution::new().checkpoint()], ..Mirror::default() }
    }

    /// Keeps a step as a store would, and redoes it.
    pub(crate) fn keep(&mut self, transition: &Transition, live: &Execution) -> Result<(), String> {
        let bytes = transition.encode();
        let chunk = read(&bytes)?;
        if chunk.changes != transition.changes || chunk.history != transition.history {
            return Err(format!("the chunk of step {} was written otherwise than it was read", live.step));
        }
        for (id, text) in chunk.payloads() {
            if id.step != live.step || self.texts.insert(id, text.clone()).is_some() {
                return Err(format!("step {} gave the name {id:?}", live.step));
            }
        }
        redo(&mut self.redone, chunk);
        self.chunks.push(bytes);
        self.checkpoints.push(live.checkpoint());
        self.same(live, &self.redone)
            .map_err(|why| format!("redone from the start, step {}: {why}", live.step))
    }

    /// The text that a history event names.
    pub(crate) fn text(&self, id: PayloadId) -> Option<Arc<str>> {
        self.texts.get(&id).cloned()
    }

    /// The execution after the last step, loaded from its checkpoint alone.
    pub(crate) fn reloaded(&self) -> Result<Execution, String> {
        self.loaded(self.chunks.len())
    }

    /// Every checkpoint with the redo of what came after it.
    pub(crate) fn check_cuts(&self, live: &Execution) -> Result<(), String> {
        let stride = self.checkpoints.len().div_ceil(CUTS_MAX);
        for cut in (0..self.checkpoints.len()).step_by(stride) {
            let mut execution = self.loaded(cut)?;
            for bytes in &self.chunks[cut..] {
                redo(&mut execution, read(bytes)?);
            }
            self.same(live, &execution).map_err(|why| format!("redone from checkpoint {cut}: {why}"))?;
        }
        Ok(())
    }

    fn loaded(&self, steps: usize) -> Result<Execution, String> {
        let bytes = &self.checkpoints[steps];
        let mut execution = Execution::from_checkpoint(bytes).map_err(|error| error.to_string())?;
        if execution.checkpoint() != *bytes {
            return Err(format!("checkpoint {steps} was read otherwise than it was written"));
        }
        for id in execution.live_payloads() {
            let text =
                self.texts.get(&id).ok_or_else(|| format!("no chunk up to step {steps} names {id:?}"))?;
            execution.fill(id, text.clone());
        }
        Ok(execution)
    }

    /// Checkpoints are canonical, so their bytes tell whether two executions are the same; texts are beside them.
    fn same(&self, left: &Execution, right: &Execution) -> Result<(), String> {
        if left.checkpoint() != right.checkpoint() {
            return Err("it is not the execution that decided".into());
        }
        for id in left.live_payloads() {
            let text = self.text(id);
            if text.is_none() || left.text(id) != text || right.text(id) != text {
                return Err(format!("the text of {id:?} is lost or another one"));
            }
        }
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Result<Chunk, String> {
    Chunk::decode(bytes).map_err(|error| error.to_string())
}

fn redo(execution: &mut Execution, chunk: Chunk) {
    for change in chunk.changes {
        execution.redo(change);
    }
}
