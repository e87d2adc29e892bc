//! JSONata: a line with an expression, and a document. Compiling never panics; evaluating always ends within its
//! bounds of time and memory, and the same chance and moment give the same value, which is JSON. A panic inside the
//! library is caught there and still a find here: it fails an execution that did nothing wrong.

use std::cell::Cell;

use ::jsonata::{Evaluator, Limits};
use asl::json::Json;
use asl::jsonata::{Evaluation, Jsonata, Program, Refusal, Surroundings, Thrown};

use super::{check_round_trip, line_and_document};

/// Inputs are not JSON as a whole.
pub const IS_JSON: bool = false;

/// Less time than the server gives, for a fuzzer has more to do; all other bounds are the server's.
const LIMITS: Limits = Limits { time_ms: 200, ..Limits::STRICT };

/// Runs the target.
pub fn run(data: &[u8]) {
    let Some((text, document)) = line_and_document(data) else { return };
    let evaluator = Evaluator::new(LIMITS);
    let program = match evaluator.compile(text) {
        Ok(program) => program,
        Err(refusal) => return assert!(!refusal.message.is_empty(), "a refusal without words"),
    };
    let everywhere = Everywhere(document);
    let evaluate = || evaluator.begin(&everywhere).evaluate(&program);
    let (first, second) = (evaluate(), evaluate());
    let is_bound = |made: &Result<_, Thrown>| matches!(made, Err(Thrown::Limit(_)));
    if is_bound(&first) || is_bound(&second) {
        // Which of the two met the bound may depend on the machine's other work.
        return;
    }
    assert!(first == second, "{text}: {first:?}, and the second time {second:?}");
    match first {
        Ok(Some(value)) => check_round_trip(&value, &text),
        Ok(None) | Err(Thrown::Function | Thrown::Limit(_)) => {}
        Err(Thrown::Error(message)) => assert!(!message.is_empty(), "{text}: a failure without words"),
        Err(Thrown::Internal) => panic!("{text}: the evaluator panicked"),
    }
}

/// The document, wherever an expression looks.
struct Everywhere(Json);

impl Surroundings for Everywhere {
    fn states(&self, _member: &str) -> Option<Json> {
        Some(self.0.clone())
    }

    fn variable(&self, _name: &str) -> Option<Json> {
        Some(self.0.clone())
    }

    fn now_ms(&self) -> i64 {
        1_767_225_600_000
    }

    fn seed(&self) -> u64 {
        7
    }
}

/// An evaluator for whole machines whose steps do not depend on how fast it is: it says that it needed no time, and
/// remembers when a bound was met, for then two runs of the same machine may differ.
#[derive(Debug)]
pub(super) struct Timeless(Evaluator);

thread_local! {
    static BOUND_MET: Cell<bool> = const { Cell::new(false) };
}

impl Timeless {
    /// A new one, that has met no bound.
    pub(super) fn new() -> Timeless {
        BOUND_MET.set(false);
        Timeless(Evaluator::new(LIMITS))
    }

    /// Whether an evaluation on this thread met a bound since the last one was made.
    pub(super) fn met_bound() -> bool {
        BOUND_MET.get()
    }
}

impl Jsonata for Timeless {
    fn compile(&self, source: &str) -> Result<Program, Refusal> {
        self.0.compile(source)
    }

    fn begin<'a>(&'a self, surroundings: &'a dyn Surroundings) -> Box<dyn Evaluation + 'a> {
        Box::new(TimelessEvaluation(self.0.begin(surroundings)))
    }
}

struct TimelessEvaluation<'a>(Box<dyn Evaluation + 'a>);

impl Evaluation for TimelessEvaluation<'_> {
    fn evaluate(&mut self, program: &Program) -> Result<Option<Json>, Thrown> {
        let made = self.0.evaluate(program);
        if matches!(made, Err(Thrown::Limit(_))) {
            BOUND_MET.set(true);
        }
        made
    }

    fn spent_ms(&self) -> u64 {
        0
    }
}
