//! The evaluator's failures in the words that AWS shows: those of jsonata-js 2.0.6, or of the bound that was met.
//!
//! The library has the same codes and often other words; some of its words leave out what jsonata-js shows: which
//! function, which values. Those come from a second, watched evaluation ([`observation`](crate::observation)).

use asl::jsonata::Thrown;
use jsonata_core::evaluator::{EvaluatorError, error_code_prefix};

use crate::limits::Limits;
use crate::observation::Seen;
use crate::syntax::quoted;

/// Our functions' sign that a bound of memory was met.
pub(crate) const TOO_LARGE: &str = "U1003";

/// What AWS says of an evaluation that holds too much (recorded).
pub(crate) const MEMORY: &str =
    "Expression evaluation memory limit exceeded: Check for excessive memory usage";

/// The longest message that is passed on: `$error` may be given megabytes, and a cause has at most 32,768 characters.
const MESSAGE_BYTES_MAX: usize = 32 * 1024;

/// A failure of ours that becomes [`Thrown::Limit`] by its code.
pub(crate) fn bound_met(code: &str) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("{code}: a bound of the evaluation was met"))
}

/// A failure with one of JSONata's codes.
pub(crate) fn coded(code: &str, message: impl std::fmt::Display) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("{code}: {message}"))
}

/// How an evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A bound was met.
    Bound(String),
    /// JSONata's own failure; the code is empty where JavaScript itself would have failed.
    Coded { code: String, message: String },
}

impl Failure {
    pub(crate) fn of(failure: &EvaluatorError, limits: &Limits) -> Failure {
        let text = failure.message();
        let text = text.strip_prefix("Signature validation failed: ").unwrap_or(text);
        let text = text.strip_prefix("Argument error: ").unwrap_or(text);
        match error_code_prefix(text) {
            Some("D1011" | "U1001") => Failure::Bound(depth(limits)),
            Some("D1012") => Failure::Bound(time(limits)),
            Some(TOO_LARGE | "D2015") => Failure::Bound(MEMORY.to_owned()),
            Some(code) => Failure::Coded {
                code: code.to_owned(),
                message: shortened(text[code.len() + 1..].trim_start()),
            },
            None => Failure::Coded { code: String::new(), message: shortened(text) },
        }
    }

    /// Whether jsonata-js shows more than the library told.
    pub(crate) fn wants_observation(&self) -> bool {
        const SHOWN: [&str; 8] = ["D1002", "D2014", "T0410", "T0411", "T0412", "T1003", "T2009", "T2010"];
        matches!(self, Failure::Coded { code, .. } if SHOWN.contains(&code.as_str()))
    }

    /// Whether both are failures of one kind.
    pub(crate) fn has_code_of(&self, other: &Failure) -> bool {
        match (self, other) {
            (Failure::Coded { code: one, .. }, Failure::Coded { code: other, .. }) => one == other,
            _ => false,
        }
    }

    /// The failure as the language knows it, with what was seen when it happened again.
    pub(crate) fn thrown(self, seen: Option<&Seen>) -> Thrown {
        match self {
            Failure::Bound(words) => Thrown::Limit(words),
            Failure::Coded { code, message } if code.is_empty() => Thrown::Error(message),
            Failure::Coded { code, message } => {
                let words = fixed_words(&code)
                    .map(str::to_owned)
                    .or_else(|| seen.and_then(|seen| seen.words(&code, &message)))
                    .unwrap_or_else(|| derived_words(&code, &message));
                Thrown::Error(format!("{code}: {words}"))
            }
        }
    }
}

/// What jsonata-js says where it shows nothing of the values.
fn fixed_words(code: &str) -> Option<&'static str> {
    Some(match code {
        "T1006" => "Attempted to invoke a non-function",
        "T1008" => "Attempted to partially apply a non-function",
        "T2003" => "The left side of the range operator (..) must evaluate to an integer",
        "T2004" => "The right side of the range operator (..) must evaluate to an integer",
        "T2006" => "The right side of the function application operator ~> must be a function",
        "T2008" => "The expressions within an order-by clause must evaluate to numeric or string values",
        "D3001" => "Attempting to invoke string function on Infinity or NaN",
        "D3010" => "Second argument of replace function cannot be an empty string",
        "D3020" => "Third argument of split function must evaluate to a positive number",
        "D3080" => "The picture string must only contain a maximum of two sub-pictures",
        "D3081" => {
            "The sub-picture must not contain more than one instance of the 'decimal-separator' character"
        }
        "D3082" => "The sub-picture must not contain more than one instance of the 'percent' character",
        "D3083" => "The sub-picture must not contain more than one instance of the 'per-mille' character",
        "D3084" => "The sub-picture must not contain both a 'percent' and a 'per-mille' character",
        "D3085" => {
            "The mantissa part of a sub-picture must contain at least one character that is either an 'optional digit \
             character' or a member of the 'decimal digit family'"
        }
        "D3086" => {
            "The sub-picture must not contain a passive character that is preceded by an active character and that is \
             followed by another active character"
        }
        "D3087" => {
            "The sub-picture must not contain a 'grouping-separator' character that appears adjacent to a \
             'decimal-separator' character"
        }
        "D3088" => "The sub-picture must not contain a 'grouping-separator' at the end of the integer part",
        "D3089" => {
            "The sub-picture must not contain two adjacent instances of the 'grouping-separator' character"
        }
        "D3090" => {
            "The integer part of the sub-picture must not contain a member of the 'decimal digit family' that is \
             followed by an instance of the 'optional digit character'"
        }
        "D3091" => {
            "The fractional part of the sub-picture must not contain an instance of the 'optional digit character' \
             that is followed by a member of the 'decimal digit family'"
        }
        "D3092" => {
            "A sub-picture that contains a 'percent' or 'per-mille' character must not contain a character treated as \
             an 'exponent-separator'"
        }
        "D3093" => {
            "The exponent part of the sub-picture must comprise only of one or more characters that are members of the \
             'decimal digit family'"
        }
        "D3131" => "In a decimal digit pattern, all digits must be from the same decimal group",
        "D3134" => "The timezone integer format specifier cannot have more than four digits",
        "D3135" => "No matching closing bracket ']' in date/time picture string",
        "D3136" => "The date/time picture string is missing specifiers required to parse the timestamp",
        "D3138" => "The $single() function expected exactly 1 matching result.  Instead it matched more.",
        "D3139" => "The $single() function expected exactly 1 matching result.  Instead it matched 0.",
        _ => return None,
    })
}

/// What jsonata-js says where the library's words hold what it shows.
fn derived_words(code: &str, message: &str) -> String {
    let between = |before: &str, after: &str| {
        let rest = &message[message.find(before)? + before.len()..];
        Some(&rest[..rest.rfind(after)?])
    };
    let last = || message.rsplit(' ').next().unwrap_or(message);
    let words = match code {
        "D1001" if last().ends_with("inf") || last() == "NaN" => Some("Number out of range: null".to_owned()),
        "T2001" | "T2002" => between("side of the ", " operator").map(|operator| {
            let side = if code == "T2001" { "left" } else { "right" };
            format!("The {side} side of the {} operator must evaluate to a number", quoted(operator))
        }),
        "D3030" => between("Cannot convert '", "' to number")
            .map(|text| format!("Unable to cast value to a number: {}", quoted(text))),
        "D3100" => Some(format!(
            "The radix of the formatBase function must be between 2 and 36.  It was given {}",
            last()
        )),
        "D3130" => Some(format!(
            "Formatting or parsing an integer as a sequence starting with {} is not supported by this implementation",
            quoted(message)
        )),
        "D3132" => {
            Some(format!("Unknown component specifier {} in date/time picture string", quoted(message)))
        }
        "D3133" => Some(format!(
            "The 'name' modifier can only be applied to months and days in the date/time picture string, not {}",
            quoted(message)
        )),
        _ => None,
    };
    words.unwrap_or_else(|| message.to_owned())
}

fn shortened(message: &str) -> String {
    match message.char_indices().map(|(at, _)| at).find(|at| *at > MESSAGE_BYTES_MAX) {
        Some(at) => format!("{}…", &message[..at]),
        None => message.to_owned(),
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
