//! Our answers to the questions that the oracle is asked.

use asl::json::{Json, Number};
use asl::jsonata::{Jsonata, Surroundings, Thrown};
use jsonata::{Evaluator, Limits};

/// How an expression ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Value(Json),
    Undefined,
    Function,
    Error { code: String, message: String },
    Limit(String),
}

impl Outcome {
    /// Whether two answers are the same: equal values, or equal codes.
    pub(crate) fn agrees(&self, other: &Outcome) -> bool {
        match (self, other) {
            (Outcome::Value(one), Outcome::Value(other)) => same(one, other),
            (Outcome::Error { code: one, .. }, Outcome::Error { code: other, .. }) => one == other,
            (one, other) => one == other,
        }
    }
}

/// Equal, where `1` is `1.0` and the order of members counts, as it does for whoever reads the text.
fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => Number::as_f64(*one) == Number::as_f64(*other),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other.iter()).all(|(one, other)| one.0 == other.0 && same(one.1, other.1))
        }
        (one, other) => one == other,
    }
}

struct State(Json);

impl Surroundings for State {
    fn states(&self, member: &str) -> Option<Json> {
        (member == "input").then(|| self.0.clone())
    }

    fn variable(&self, _: &str) -> Option<Json> {
        None
    }

    fn now_ms(&self) -> i64 {
        1_700_000_000_123
    }

    fn seed(&self) -> u64 {
        7
    }
}

/// Our value of an expression that finds `input` under `$states.input`.
pub(crate) fn evaluate(expression: &str, input: &str) -> Outcome {
    let evaluator = Evaluator::new(Limits::STRICT);
    let program = match evaluator.compile(expression) {
        Ok(program) => program,
        Err(refusal) => return Outcome::Error { code: "refused".to_owned(), message: refusal.message },
    };
    let state = State(Json::parse(input).expect("the input is JSON"));
    match evaluator.begin(&state).evaluate(&program) {
        Ok(Some(value)) => Outcome::Value(value),
        Ok(None) => Outcome::Undefined,
        Err(Thrown::Function) => Outcome::Function,
        Err(Thrown::Limit(text)) => Outcome::Limit(text),
        Err(Thrown::Internal) => Outcome::Error { code: "internal".to_owned(), message: String::new() },
        Err(Thrown::Error(text)) => match text.split_once(": ") {
            Some((code, message)) if code.len() == 5 => {
                Outcome::Error { code: code.to_owned(), message: message.to_owned() }
            }
            _ => Outcome::Error { code: String::new(), message: text },
        },
    }
}

/// What we say against a text as JSONata, whatever names it may use; empty if nothing.
pub(crate) fn complaint(expression: &str) -> String {
    match Evaluator::default().compile(expression) {
        Err(refusal) if refusal.code.as_str() == "INVALID_JSONATA_EXPRESSION" => refusal.message,
        _ => String::new(),
    }
}
