//! Intrinsic functions: a line with a call, and a document. Compiling never panics and keeps the text; evaluating always
//! ends, and the same chance gives the same value, which is JSON.

use asl::intrinsic::{Call, Entropy};
use asl::json::Object;
use asl::path::{Scope, Work};

use super::{check_round_trip, line_and_document};
use crate::harness::dice::Dice;
use crate::harness::dice_of;

/// Inputs are not JSON as a whole.
pub const IS_JSON: bool = false;

/// Runs the target.
pub fn run(data: &[u8]) {
    let Some((text, document)) = line_and_document(data) else { return };
    let call = match Call::parse(text) {
        Ok(call) => call,
        Err(error) => return assert!(!error.to_string().is_empty(), "a refusal without words"),
    };
    assert_eq!(call.to_string(), text.trim(), "a call is its text");
    let mut variables = Object::new();
    for path in call.paths() {
        if let Some(name) = path.variable() {
            variables.insert(name.clone(), document.clone());
        }
    }
    let evaluate = || {
        let work = Work::default();
        let scope = Scope { input: &document, context: &document, variables: &variables, work: &work };
        call.evaluate(&scope, &mut Chance(dice_of(data)))
    };
    let made = evaluate();
    assert!(made == evaluate(), "{text} gives something else the second time");
    match made {
        Ok(value) => check_round_trip(&value, &text),
        Err(failure) => assert!(!failure.cause().is_empty(), "a failure without words"),
    }
}

/// The dice as the language takes chance.
pub(super) struct Chance(pub(super) Dice);

impl Entropy for Chance {
    fn next_u64(&mut self) -> u64 {
        self.0.next()
    }
}
