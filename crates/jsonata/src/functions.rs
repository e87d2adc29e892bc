//! The functions that are ours: those that AWS adds, those that read a clock or chance, and those that would make much
//! out of little.
//!
//! Each is written as JSONata, which gives it a signature, optional arguments and a place among the values; what it
//! does is Rust behind a name that no expression can spell, or the library's own function once its arguments have been
//! looked at. A definition is put before the expression that uses it, so that it is hidden by what the expression
//! itself calls by that name.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;

use jsonata_core::ast::{AstNode, BinaryOp};
use jsonata_core::evaluator::{Evaluator as Core, EvaluatorError, HostFnResult};
use jsonata_core::parser;
use jsonata_core::value::{JValue, with_stack};

use crate::chance::Chance;
use crate::children::{each_child, each_child_mut};
use crate::limits::Limits;

mod added;
mod bounded;
mod clock;
mod direct;
mod distinct;
mod gathered;
mod numeric;
mod random;
mod transform;
mod url;
mod weight;

pub(crate) use direct::look_at_arguments;
pub(crate) use gathered::Counters;
pub(crate) use transform::function as transform;

/// What functions depend on besides their arguments.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) now_ms: i64,
    pub(crate) chance: Rc<Chance>,
    pub(crate) limits: Limits,
    /// Counters of the evaluation.
    pub(crate) counters: Rc<RefCell<Counters>>,
}

/// A function of ours.
#[derive(Debug)]
pub(crate) struct Definition {
    /// What expressions call it.
    pub(crate) name: &'static str,
    /// The library's function that it calls.
    native: Option<&'static str>,
    lambda: AstNode,
}

/// Gives back its argument, unless that has too many arrays in arrays.
pub(crate) const COUNTED: &str = "our counted";
/// Gives back its argument, unless that is too heavy to be walked.
pub(crate) const WEIGHED: &str = "our weighed";
/// Gives back its argument, unless lists of its parts would be too long.
pub(crate) const LISTED: &str = "our listed";
/// A counter that has counted nothing.
pub(crate) const BEGUN: &str = "our begun";
/// Gives back its argument, unless the counter has counted too much with it.
pub(crate) const GATHERED: &str = "our gathered";
/// As [`GATHERED`], of items that each become an object.
pub(crate) const ROW: &str = "our row";
/// As [`GATHERED`], of predicates that take an item more than once.
pub(crate) const SELECTED: &str = "our selected";
/// As [`GATHERED`], of the keys of groups.
pub(crate) const GROUPED: &str = "our grouped";
/// Gives back its argument, unless it is too long to be one of so many arguments of `$zip`.
pub(crate) const ZIPPED: &str = "our zipped";

/// The definition of `name`, if it is one of ours.
pub(crate) fn definition(name: &str) -> Option<&'static Definition> {
    let at = DEFINITIONS.binary_search_by(|definition| definition.name.cmp(name)).ok()?;
    Some(&DEFINITIONS[at])
}

impl Definition {
    /// The assignments that put it in place: the library's function under another name, then ours.
    pub(crate) fn assignments(&self) -> Vec<AstNode> {
        let assign = |name: String, value: AstNode| AstNode::Binary {
            op: BinaryOp::ColonEqual,
            lhs: Box::new(AstNode::Variable(name)),
            rhs: Box::new(value),
        };
        let native = self.native.map(|name| assign(alias(self.name), AstNode::Variable(name.to_owned())));
        native.into_iter().chain([assign(self.name.to_owned(), self.lambda.clone())]).collect()
    }
}

/// Name and JSONata text, sorted by name. `$__x` in a text is the Rust function `x`; `$__native` is the library's
/// function of the same name, except that `$now` formats as `$fromMillis` does.
///
/// `$base64encode` is not here: the library encodes UTF-8, jsonata-js under Node.js Latin-1, and which of them AWS does is
/// not known.
const TEXTS: [(&str, &str); 41] = [
    ("boolean", "function($value)<x-:b>{ $__native($__weighed($value)) }"),
    ("clone", "function($value)<(oa)-:o>{ $value }"),
    ("contains", "function($text, $pattern)<s-(sf):b>{ $__native($__scanned($text, $pattern), $pattern) }"),
    ("decodeUrl", "function($text)<s-:s>{ $__decode_url($text) }"),
    ("decodeUrlComponent", "function($text)<s-:s>{ $__decode_url_component($text) }"),
    ("distinct", "function($items)<x:x>{ $__distinct($items) }"),
    ("encodeUrl", "function($text)<s-:s>{ $__encode_url($text) }"),
    ("encodeUrlComponent", "function($text)<s-:s>{ $__encode_url_component($text) }"),
    (
        "filter",
        "function($items, $test)<af>{ $__native($items, function($v, $i, $a){ $__counted($test($v, $i, $a)) }) }",
    ),
    ("formatBase", "function($number, $radix)<n-n?:s>{ $__format_base($number, $radix) }"),
    (
        "formatInteger",
        "function($number, $picture)<n-s:s>{
            $__is_wide($number, $picture)
                ? $__wide($number, $picture)
                : $__native($__drawn($number, $picture), $picture) }",
    ),
    (
        "formatNumber",
        "function($number, $picture, $options)<n-so?:s>{ $__native($number, $__decimals($picture), $options) }",
    ),
    (
        "fromMillis",
        "function($millis, $picture, $zone)<n-s?s?:s>{ $__native($__date($millis), $__picture($picture), $zone) }",
    ),
    ("hash", "function($data, $algorithm)<x?s?:s>{ $__hash($data, $algorithm) }"),
    (
        "join",
        "function($texts, $separator)<a<s>s?:s>{ $__native($__joined($texts, $separator), $separator) }",
    ),
    ("keys", "function($value)<x-:a<s>>{ $__native($__keyed($value)) }"),
    ("lookup", "function($object, $name)<x-s:x>{ $__native($__listed($object), $name) }"),
    (
        "match",
        "function($text, $pattern, $limit)<s-f<s:o>n?:a<o>>{
            $__native($__matched($text, $pattern, $limit), $pattern, $limit) }",
    ),
    ("merge", "function($objects)<a<o>:o>{ $__native($__weighed($objects)) }"),
    ("millis", "function()<:n>{ $__now() }"),
    ("not", "function($value)<x-:b>{ $__native($__weighed($value)) }"),
    ("now", "function($picture, $zone)<s?s?:s>{ $__native($__now(), $__picture($picture), $zone) }"),
    ("number", "function($value)<(nsb)-:n>{ $__native($__numeral($value)) }"),
    ("pad", "function($text, $width, $filler)<s-ns?:s>{ $__pad($text, $width, $filler) }"),
    ("parse", "function($text)<s-:x>{ $__parse($text) }"),
    ("parseInteger", "function($text, $picture)<s-s:n>{ $__native($text, $__picture($picture)) }"),
    ("partition", "function($array, $size)<an?:a>{ $__partition($array, $size) }"),
    ("random", "function($seed)<n?:n>{ $__random($seed) }"),
    ("range", "function($start, $end, $step)<n?n?n?:a>{ $__range($start, $end, $step) }"),
    (
        "reduce",
        "function($sequence, $function, $first)<afj?:j>{
            $exists($first)
                ? $__native($sequence, $function, $first)
                : $__native($__reducible($sequence), $function) }",
    ),
    (
        "replace",
        "function($text, $pattern, $with, $limit)<s-(sf)(sf)n?:s>{
            $__native($__replaced($text, $pattern, $with, $limit), $pattern, $with, $limit) }",
    ),
    ("round", "function($number, $precision)<n-n?:n>{ $__round($number, $precision) }"),
    ("shuffle", "function($array)<a:a>{ $__shuffle($array) }"),
    (
        "sift",
        "function($object, $test)<o-f?:o>{
            $__native($object, function($v, $k, $o){ $__counted($test($v, $k, $o)) }) }",
    ),
    (
        "single",
        "function($items, $test)<af?>{
            $exists($test)
                ? $__native($items, function($v, $i, $a){ $__counted($test($v, $i, $a)) })
                : $__native($items) }",
    ),
    (
        "split",
        "function($text, $separator, $limit)<s-(sf)n?:a<s>>{
            $__native($__split($text, $separator), $separator, $__limit($limit, $separator)) }",
    ),
    ("spread", "function($value)<x-:a<o>>{ $__native($__spread($value)) }"),
    // `$map` gives a function as many arguments as it takes: of this one jsonata-js says one.
    ("string", "function($value)<x-:s>{ $__native($__weighed($value)) }"),
    ("substring", "function($text, $start, $length)<s-nn?:s>{ $__substring($text, $start, $length) }"),
    (
        "toMillis",
        "function($text, $picture)<s-s?:n>{
            $exists($picture)
                ? $__native($__dated_text($text, $picture), $__dated_picture($picture))
                : $__native($text) }",
    ),
    ("uuid", "function()<:s>{ $__uuid() }"),
];

static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let definition = |(name, text): &(&'static str, &str)| {
        let mut lambda = parser::parse(text).expect("the texts of definitions are JSONata");
        rename(&mut lambda, name);
        let native = text.contains("$__native(").then_some(if *name == "now" { "fromMillis" } else { *name });
        Definition { name, native, lambda }
    };
    TEXTS.iter().map(definition).collect()
});

/// Gives the functions behind a definition the names by which they are registered.
fn rename(node: &mut AstNode, definition: &str) {
    if let AstNode::Function { name, .. } = node
        && let Some(private) = name.strip_prefix("__")
    {
        *name = if private == "native" { alias(definition) } else { format!("our {private}") };
    }
    each_child_mut(node, &mut |child| rename(child, definition));
}

/// The name of the library's function for the definition of `name`.
fn alias(name: &str) -> String {
    format!("native {name}")
}

/// The Rust functions that a tree calls.
pub(crate) fn called(tree: &AstNode) -> Vec<&'static Private> {
    let mut found = Vec::new();
    collect(tree, &mut found);
    found
}

fn collect(node: &AstNode, found: &mut Vec<&'static Private>) {
    if let AstNode::Function { name, .. } = node
        && let Some(private) = PRIVATE.iter().find(|private| private.name == name)
        && !found.iter().any(|known| known.name == private.name)
    {
        found.push(private);
    }
    each_child(node, &mut |child| with_stack(|| collect(child, found)));
}

/// Gives `core` these functions.
pub(crate) fn register(
    core: &mut Core,
    functions: &[&'static Private],
    moment: &Moment,
) -> Result<(), EvaluatorError> {
    let moment = Moment { counters: Rc::default(), ..moment.clone() };
    for private in functions.iter().copied() {
        let moment = moment.clone();
        core.register_fn(private.name, move |arguments: &[JValue]| (private.function)(arguments, &moment))?;
    }
    Ok(())
}

/// A Rust function, and the name that no expression can spell.
#[derive(Debug)]
pub(crate) struct Private {
    name: &'static str,
    function: fn(&[JValue], &Moment) -> HostFnResult,
}

const fn private(name: &'static str, function: fn(&[JValue], &Moment) -> HostFnResult) -> Private {
    Private { name, function }
}

static PRIVATE: [Private; 46] = [
    private(BEGUN, gathered::begun),
    private(COUNTED, weight::counted),
    private(GATHERED, gathered::gathered),
    private(GROUPED, gathered::grouped),
    private(LISTED, weight::listed),
    private(ROW, gathered::row),
    private(SELECTED, gathered::selected),
    private(ZIPPED, bounded::zipped),
    private(WEIGHED, weight::weighed),
    private(transform::COPIED, transform::copied),
    private("our decode_url", url::decode_url),
    private("our decode_url_component", url::decode_url_component),
    private("our encode_url", url::encode_url),
    private("our encode_url_component", url::encode_url_component),
    private("our format_base", numeric::format_base),
    private("our is_wide", numeric::is_wide),
    private("our keyed", bounded::keyed),
    private("our limit", numeric::limit),
    private("our numeral", numeric::numeral),
    private("our round", numeric::round),
    private("our substring", numeric::substring),
    private("our wide", numeric::wide),
    private("our date", clock::date),
    private("our dated_picture", clock::dated_picture),
    private("our dated_text", clock::dated_text),
    private("our decimals", bounded::decimals),
    private("our distinct", distinct::distinct),
    private("our drawn", bounded::drawn),
    private("our hash", added::hash),
    private("our joined", bounded::joined),
    private("our matched", bounded::matched),
    private("our now", clock::now),
    private("our pad", bounded::pad),
    private("our parse", added::parse),
    private("our partition", added::partition),
    private("our picture", bounded::picture),
    private("our random", random::random),
    private("our range", added::range),
    private("our replaced", bounded::replaced),
    private("our reducible", bounded::reducible),
    private("our scanned", bounded::scanned),
    private("our shuffle", random::shuffle),
    private("our split", bounded::split),
    private("our spread", bounded::spread),
    private(transform::TRANSFORMED, transform::transformed),
    private("our uuid", random::uuid),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_by_their_names() {
        for (name, _) in TEXTS {
            assert_eq!(definition(name).map(|found| found.name), Some(name), "{name}");
        }
        assert!(definition("sum").is_none());
    }

    #[test]
    fn every_private_function_of_a_definition_is_there() {
        for definition in DEFINITIONS.iter() {
            let mut private = Vec::new();
            names_below(&definition.lambda, &mut private);
            for name in private {
                assert!(PRIVATE.iter().any(|known| known.name == name), "{}: {name}", definition.name);
            }
        }
    }

    fn names_below(node: &AstNode, private: &mut Vec<String>) {
        if let AstNode::Function { name, .. } = node
            && name.starts_with("our ")
        {
            private.push(name.clone());
        }
        each_child(node, &mut |child| names_below(child, private));
    }
}
