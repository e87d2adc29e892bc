//! The server's own evaluator, but for the clock: what an expression took is told as nothing.
//!
//! A step that spends long on expressions ends earlier, and the one that was decided is the one that counts. But a test that
//! decides the same step twice would see two when the machine is busy.

use std::sync::Arc;

use asl::json::Json;
use asl::jsonata::{Evaluation, Jsonata, Program, Refusal, Surroundings, Thrown};

/// What evaluates the expressions of the machines under test.
pub(crate) fn jsonata() -> Arc<dyn Jsonata> {
    Arc::new(Timeless(jsonata::Evaluator::new(jsonata::Limits::STRICT)))
}

#[derive(Debug)]
struct Timeless(jsonata::Evaluator);

struct Session<'a>(Box<dyn Evaluation + 'a>);

impl Jsonata for Timeless {
    fn compile(&self, source: &str) -> Result<Program, Refusal> {
        self.0.compile(source)
    }

    fn begin<'a>(&'a self, surroundings: &'a dyn Surroundings) -> Box<dyn Evaluation + 'a> {
        Box::new(Session(self.0.begin(surroundings)))
    }
}

impl Evaluation for Session<'_> {
    fn evaluate(&mut self, program: &Program) -> Result<Option<Json>, Thrown> {
        self.0.evaluate(program)
    }

    fn spent_ms(&self) -> u64 {
        0
    }
}
