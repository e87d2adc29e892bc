//! The evaluator's failures in the words that AWS shows: those of jsonata-js 2.0.6, or of the bound that was met.

use asl::jsonata::Thrown;
use jsonata_core::evaluator::EvaluatorError;

use crate::limits::Limits;

/// Our functions' sign that a bound of memory was met. No expression can make a message that begins with it: the
/// messages of `$error` and `$assert` have codes of their own.
pub(crate) const TOO_LARGE: &str = "U1003";
/// The same for time.
pub(crate) const TOO_LONG: &str = "D1012";

/// What AWS says of an evaluation that holds too much (recorded).
pub(crate) const MEMORY: &str = "Expression evaluation memory limit exceeded: Check for excessive memory usage";

/// A failure of ours that becomes [`Thrown::Limit`] by its code.
pub(crate) fn bound_met(code: &str) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("{code}: a bound of the evaluation was met"))
}

/// A failure with one of JSONata's codes.
pub(crate) fn coded(code: &str, message: impl std::fmt::Display) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("{code}: {message}"))
}

/// The evaluator's failure as the language knows it.
pub(crate) fn thrown(failure: &EvaluatorError, limits: &Limits) -> Thrown {
    let message = failure.message();
    match failure.code() {
        Some("D1011" | "U1001") => Thrown::Limit(depth(limits)),
        Some("D1012") => Thrown::Limit(time(limits)),
        Some(TOO_LARGE | "D2015") => Thrown::Limit(MEMORY.to_owned()),
        _ => Thrown::Error(message.to_owned()),
    }
}

/// The words of the Java port of JSONata that AWS runs; their first and last parts are recorded.
fn depth(limits: &Limits) -> String {
    format!(
        "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive. \
         Depth={} max={}",
        limits.depth + 1,
        limits.depth
    )
}

/// A guess: no recording has it. The words are again those of the Java port.
fn time(limits: &Limits) -> String {
    format!("Expression evaluation timeout: {}ms. Check for infinite loop", limits.time_ms)
}
