//! The functions that JSONata does not have and AWS does, and those that are ours instead of the library's.
//!
//! Each is written twice: as JSONata, which gives it a signature, optional arguments and a place among the values, and
//! as Rust behind a name that no expression can spell.

use std::rc::Rc;
use std::sync::LazyLock;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Evaluator as Core, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;

use crate::chance::Chance;
use crate::limits::Limits;

mod added;
mod clock;
mod random;

/// What functions depend on besides their arguments.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) now_ms: i64,
    pub(crate) chance: Rc<Chance>,
    pub(crate) limits: Limits,
}

/// A function of ours.
#[derive(Debug)]
pub(crate) struct Definition {
    /// What expressions call it.
    pub(crate) name: &'static str,
    /// A lambda.
    pub(crate) tree: AstNode,
    /// The library's function under another name, for the lambda to call.
    pub(crate) native: Option<AstNode>,
}

/// The definition of `name`, if it is one of ours.
pub(crate) fn definition(name: &str) -> Option<&'static Definition> {
    let at = DEFINITIONS.binary_search_by(|definition| definition.name.cmp(name)).ok()?;
    Some(&DEFINITIONS[at])
}

/// Name and JSONata text, sorted. `$__x` in a text is the Rust function `x`; `$__native` is the library's function of
/// the same name.
const TEXTS: [(&str, &str); 11] = [
    ("clone", "function($value)<(oa)-:o>{ $value }"),
    ("hash", "function($data, $algorithm){ $__hash($data, $algorithm) }"),
    ("millis", "function()<:n>{ $__now() }"),
    ("now", "function($picture, $timezone)<s?s?:s>{ $fromMillis($__now(), $picture, $timezone) }"),
    ("pad", "function($text, $width, $filler)<s-ns?:s>{ $__pad($text, $width, $filler) }"),
    ("parse", "function($text)<s-:x>{ $__parse($text) }"),
    ("partition", "function($array, $size)<an?:a>{ $__partition($array, $size) }"),
    ("random", "function($seed)<n?:n>{ $__random($seed) }"),
    ("range", "function($start, $end, $step)<n?n?n?:a>{ $__range($start, $end, $step) }"),
    ("shuffle", "function($array)<a:a>{ $__shuffle($array) }"),
    ("uuid", "function()<:s>{ $__uuid() }"),
];

static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let definition = |(name, text): &(&'static str, &str)| {
        let tree = parser::parse(text).expect("the texts of definitions are JSONata");
        Definition { name, tree, native: None }
    };
    TEXTS.iter().map(definition).collect()
});

/// Gives `core` the Rust functions that the definitions call.
pub(crate) fn register(core: &mut Core, moment: &Moment) -> Result<(), EvaluatorError> {
    let now_ms = moment.now_ms as f64;
    core.register_fn("__now", move |_: &[JValue]| Ok(JValue::Number(now_ms)))?;
    core.register_fn("__hash", added::hash)?;
    core.register_fn("__parse", added::parse)?;
    core.register_fn("__partition", added::partition)?;
    let limits = moment.limits;
    core.register_fn("__range", move |arguments: &[JValue]| added::range(arguments, &limits))?;
    core.register_fn("__pad", move |arguments: &[JValue]| added::pad(arguments, &limits))?;
    let chance = moment.chance.clone();
    core.register_fn("__random", move |arguments: &[JValue]| random::random(arguments, &chance))?;
    let chance = moment.chance.clone();
    core.register_fn("__shuffle", move |arguments: &[JValue]| random::shuffle(arguments, &chance))?;
    let chance = moment.chance.clone();
    core.register_fn("__uuid", move |_: &[JValue]| Ok(random::uuid(&chance)))?;
    Ok(())
}
