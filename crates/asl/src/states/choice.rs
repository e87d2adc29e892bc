//! Choice: picks the next state by the first rule that holds.
//!
//! A rule is a comparison, or And, Or, Not over rules. A type mismatch makes a comparison false; a `Variable` that
//! finds nothing fails the state, except under `IsPresent` (asl-facts 9.3, recorded).

use std::cmp::Ordering;

use crate::diagnostic::Diagnostics;
use crate::fields::Fields;
use crate::json::{Json, Number};
use crate::jsonata::{self, Expression, Sees};
use crate::machine::{Output, Payload, Selection, StateId};
use crate::parse::Names;
use crate::path::{Path, PathMiss, Scope};
use crate::timestamp;

/// Rules inside rules: deeper ones are refused rather than risking the stack.
const RULE_DEPTH_MAX: usize = 64;

/// A Choice state.
#[derive(Debug)]
pub struct Choice {
    /// `InputPath`.
    pub input: Selection,
    /// `Choices`, in order.
    pub rules: Vec<ChoiceRule>,
    /// `Default`.
    pub default: Option<StateId>,
    /// The state's own `Assign`, for when no rule holds.
    pub assign: Option<Payload>,
    /// `OutputPath`, or the state's own `Output`, for when no rule holds.
    pub output: Output,
}

/// One entry of `Choices`.
#[derive(Debug)]
pub struct ChoiceRule {
    /// When it holds.
    pub when: When,
    /// Where it leads.
    pub next: StateId,
    /// `Assign`, instead of the state's.
    pub assign: Option<Payload>,
    /// `Output`, instead of the state's.
    pub output: Option<jsonata::Template>,
}

/// When a rule holds.
#[derive(Debug)]
pub enum When {
    /// By comparisons.
    Compare(Condition),
    /// By `Condition`, written down.
    Fixed(bool),
    /// By `Condition`, an expression.
    Query(Expression),
}

/// What a rule asks.
#[derive(Debug)]
pub enum Condition {
    /// Every one holds.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A value against another, or against a type.
    Compare {
        /// `Variable`.
        variable: Path,
        /// What is asked of it.
        test: Test,
    },
}

/// What is asked of a value.
#[derive(Debug)]
pub enum Test {
    /// `IsNull` and its like; the flag is the operator's argument.
    Is(Kind, bool),
    /// `StringMatches`: `*` stands for any text.
    Matches(Vec<Glob>),
    /// `StringEquals`, `NumericLessThan`, …
    Order(Family, Relation, Operand),
}

/// The types that `Is…` tests for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `IsPresent`.
    Present,
    /// `IsNull`.
    Null,
    /// `IsNumeric`.
    Numeric,
    /// `IsString`.
    String,
    /// `IsBoolean`.
    Boolean,
    /// `IsTimestamp`.
    Timestamp,
}

/// The types that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// By code points.
    String,
    /// By value: 1 equals 1.0.
    Numeric,
    /// Equality only.
    Boolean,
    /// By the moment meant, whatever the offset.
    Timestamp,
}

/// How two values must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Equals,
    /// Less.
    LessThan,
    /// Greater.
    GreaterThan,
    /// Not greater.
    LessThanEquals,
    /// Not less.
    GreaterThanEquals,
}

/// What a value is compared with.
#[derive(Debug)]
pub enum Operand {
    /// Written in the rule.
    Literal(Json),
    /// Found by the `…Path` form.
    Path(Path),
}

/// A piece of a `StringMatches` pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glob {
    /// `*`.
    Any,
    /// Text that must be there.
    Text(String),
}

impl Choice {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Choice> {
        if !fields.has("Choices") {
            diagnostics.schema(fields.location(), "These fields are required: [Choices]");
        }
        let at = fields.at("Choices");
        let entries = fields.list("Choices", diagnostics).unwrap_or_default();
        let mut rules = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("{at}[{index}]");
            let Json::Object(object) = entry else {
                diagnostics.schema(at, "Expected value of type [OBJECT]");
                continue;
            };
            let mut rule = fields.inside(object, at);
            rule.take("Comment");
            let next = names.target(&mut rule, "Next", diagnostics);
            let assign = rule.assign(Sees::Input, diagnostics);
            let (when, output) = if rule.language().is_jsonata() {
                (query_condition(&mut rule, diagnostics), rule.query("Output", Sees::Input, diagnostics))
            } else {
                (comparisons(&mut rule, diagnostics), None)
            };
            rule.finish(diagnostics);
            if let (Some(when), Some(next)) = (when, next) {
                rules.push(ChoiceRule { when, next, assign, output });
            }
        }
        let input = fields.selection("InputPath", diagnostics);
        let default = names.optional_target(fields, "Default", diagnostics);
        let assign = fields.assign(Sees::Input, diagnostics);
        let output = fields.output(Sees::Input, diagnostics);
        // Where a rule leads that could not be read is not known: it has a diagnostic of its own.
        (rules.len() == entries.len()).then_some(Choice { input, rules, default, assign, output })
    }
}

/// A rule in JSONPath.
fn comparisons(rule: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<When> {
    let in_jsonata = rule.has("Condition");
    rule.refuse_language(&["Condition", "Output"], diagnostics);
    // What is written in the other language has no comparison: to say so would be noise.
    if in_jsonata { None } else { condition(rule, diagnostics, 0).map(When::Compare) }
}

/// A rule in JSONata: `Condition`.
fn query_condition(rule: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<When> {
    const FIELD: &str = "Condition";
    let mut others = operators();
    others.extend(["Variable", "And", "Or", "Not"]);
    rule.refuse_language(&others, diagnostics);
    if rule.is_expression(FIELD) {
        return rule.expression(FIELD, Sees::Input, diagnostics).map(When::Query);
    }
    if !rule.has(FIELD) {
        rule.missing(FIELD, diagnostics);
    }
    rule.boolean(FIELD, diagnostics).map(When::Fixed)
}

/// Reads And, Or, Not or a comparison.
fn condition(rule: &mut Fields<'_>, diagnostics: &mut Diagnostics, depth: usize) -> Option<Condition> {
    if depth > RULE_DEPTH_MAX {
        diagnostics.schema(rule.location(), format!("Rules are nested deeper than {RULE_DEPTH_MAX} levels"));
        return None;
    }
    if let Some(rules) = rule.list("And", diagnostics) {
        return conditions(rule, rules, &rule.at("And"), diagnostics, depth).map(Condition::And);
    }
    if let Some(rules) = rule.list("Or", diagnostics) {
        return conditions(rule, rules, &rule.at("Or"), diagnostics, depth).map(Condition::Or);
    }
    if let Some(object) = rule.object("Not", diagnostics) {
        let mut inner = rule.inside(object, rule.at("Not"));
        inner.take("Comment");
        let negated = condition(&mut inner, diagnostics, depth + 1);
        inner.finish(diagnostics);
        return negated.map(|negated| Condition::Not(Box::new(negated)));
    }
    if ["And", "Or", "Not"].iter().any(|field| rule.has(field)) {
        return None;
    }
    comparison(rule, diagnostics)
}

fn conditions<'a>(
    around: &Fields<'a>,
    rules: &'a [Json],
    at: &str,
    diagnostics: &mut Diagnostics,
    depth: usize,
) -> Option<Vec<Condition>> {
    let mut out = Vec::new();
    for (index, entry) in rules.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let Json::Object(object) = entry else {
            diagnostics.schema(at, "Expected value of type [OBJECT]");
            continue;
        };
        let mut inner = around.inside(object, at);
        inner.take("Comment");
        out.extend(condition(&mut inner, diagnostics, depth + 1));
        inner.finish(diagnostics);
    }
    (out.len() == rules.len()).then_some(out)
}

/// `Variable` and exactly one operator.
fn comparison(rule: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Condition> {
    if !rule.has("Variable") {
        rule.missing("Variable", diagnostics);
    }
    let variable = rule.path("Variable", diagnostics);
    let given: Vec<&'static str> = operators().into_iter().filter(|name| rule.has(name)).collect();
    let [name] = given[..] else {
        diagnostics.schema(rule.location(), "Exactly one comparison operator is required");
        for name in given {
            rule.take(name);
        }
        return None;
    };
    let test = test(rule, name, diagnostics)?;
    variable.map(|variable| Condition::Compare { variable, test })
}

const KINDS: [(&str, Kind); 6] = [
    ("IsPresent", Kind::Present),
    ("IsNull", Kind::Null),
    ("IsNumeric", Kind::Numeric),
    ("IsString", Kind::String),
    ("IsBoolean", Kind::Boolean),
    ("IsTimestamp", Kind::Timestamp),
];

/// Every ordering operator with its `…Path` twin.
const ORDERS: [(&str, &str, Family, Relation); 16] = {
    use Family::*;
    use Relation::*;
    [
        ("StringEquals", "StringEqualsPath", String, Equals),
        ("StringLessThan", "StringLessThanPath", String, LessThan),
        ("StringGreaterThan", "StringGreaterThanPath", String, GreaterThan),
        ("StringLessThanEquals", "StringLessThanEqualsPath", String, LessThanEquals),
        ("StringGreaterThanEquals", "StringGreaterThanEqualsPath", String, GreaterThanEquals),
        ("NumericEquals", "NumericEqualsPath", Numeric, Equals),
        ("NumericLessThan", "NumericLessThanPath", Numeric, LessThan),
        ("NumericGreaterThan", "NumericGreaterThanPath", Numeric, GreaterThan),
        ("NumericLessThanEquals", "NumericLessThanEqualsPath", Numeric, LessThanEquals),
        ("NumericGreaterThanEquals", "NumericGreaterThanEqualsPath", Numeric, GreaterThanEquals),
        ("BooleanEquals", "BooleanEqualsPath", Boolean, Equals),
        ("TimestampEquals", "TimestampEqualsPath", Timestamp, Equals),
        ("TimestampLessThan", "TimestampLessThanPath", Timestamp, LessThan),
        ("TimestampGreaterThan", "TimestampGreaterThanPath", Timestamp, GreaterThan),
        ("TimestampLessThanEquals", "TimestampLessThanEqualsPath", Timestamp, LessThanEquals),
        ("TimestampGreaterThanEquals", "TimestampGreaterThanEqualsPath", Timestamp, GreaterThanEquals),
    ]
};

/// The names of all 39 operators.
fn operators() -> Vec<&'static str> {
    let orders = ORDERS.iter().flat_map(|(name, path_name, ..)| [*name, *path_name]);
    orders.chain(KINDS.iter().map(|(name, _)| *name)).chain(["StringMatches"]).collect()
}

fn test(rule: &mut Fields<'_>, name: &'static str, diagnostics: &mut Diagnostics) -> Option<Test> {
    if name == "StringMatches" {
        return rule.string(name, diagnostics).map(|pattern| Test::Matches(glob(&pattern)));
    }
    if let Some((_, kind)) = KINDS.iter().find(|(operator, _)| *operator == name) {
        return rule.boolean(name, diagnostics).map(|want| Test::Is(*kind, want));
    }
    let (literal_name, _, family, relation) =
        *ORDERS.iter().find(|(literal, path, ..)| *literal == name || *path == name)?;
    if name != literal_name {
        let path = rule.path(name, diagnostics)?;
        return Some(Test::Order(family, relation, Operand::Path(path)));
    }
    let literal = rule.take(name)?;
    let (fits, want) = match family {
        Family::String => (matches!(literal, Json::String(_)), "Expected value of type [STRING]"),
        Family::Numeric => (matches!(literal, Json::Number(_)), "Expected value of type [NUMBER]"),
        Family::Boolean => (matches!(literal, Json::Bool(_)), "Expected value of type [BOOLEAN]"),
        Family::Timestamp => (moment(literal).is_some(), "String does not match RFC3339 timestamp"),
    };
    if !fits {
        diagnostics.schema(rule.at(name), want);
        return None;
    }
    Some(Test::Order(family, relation, Operand::Literal(literal.clone())))
}

impl Condition {
    /// Whether it holds in this scope.
    ///
    /// # Errors
    /// The cause of a `States.Runtime` failure: a path that finds nothing.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, String> {
        match self {
            Condition::And(rules) => {
                for rule in rules {
                    if !rule.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(rules) => {
                for rule in rules {
                    if rule.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(rule) => Ok(!rule.holds(scope)?),
            Condition::Compare { variable, test } => test.passes(variable, scope),
        }
    }
}

impl Test {
    fn passes(&self, variable: &Path, scope: &Scope<'_>) -> Result<bool, String> {
        let found = variable.select(scope);
        if let Test::Is(Kind::Present, want) = self
            && found != Err(PathMiss::TooMuchWork)
        {
            return Ok(found.is_ok() == *want);
        }
        let value = found.map_err(|miss| invalid_value(variable, &miss))?;
        match self {
            Test::Is(kind, want) => Ok(kind.is(&value) == *want),
            Test::Matches(pattern) => Ok(value.as_str().is_some_and(|text| glob_matches(pattern, text))),
            Test::Order(family, relation, operand) => {
                let operand = match operand {
                    Operand::Literal(literal) => literal.clone(),
                    Operand::Path(path) => path.select(scope).map_err(|miss| invalid_value(path, &miss))?,
                };
                Ok(family.compare(&value, &operand).is_some_and(|order| relation.accepts(order)))
            }
        }
    }
}

fn invalid_value(path: &Path, miss: &PathMiss) -> String {
    if *miss == PathMiss::TooMuchWork {
        return miss.cause(path);
    }
    format!("Invalid path '{path}': The choice state's condition path references an invalid value.")
}

impl Kind {
    fn is(self, value: &Json) -> bool {
        match self {
            Kind::Present => true,
            Kind::Null => matches!(value, Json::Null),
            Kind::Numeric => matches!(value, Json::Number(_)),
            Kind::String => matches!(value, Json::String(_)),
            Kind::Boolean => matches!(value, Json::Bool(_)),
            Kind::Timestamp => moment(value).is_some(),
        }
    }
}

impl Family {
    /// `None` when either value is not of this family.
    fn compare(self, left: &Json, right: &Json) -> Option<Ordering> {
        match (self, left, right) {
            (Family::String, Json::String(left), Json::String(right)) => Some(left.cmp(right)),
            (Family::Boolean, Json::Bool(left), Json::Bool(right)) => Some(left.cmp(right)),
            (Family::Numeric, Json::Number(left), Json::Number(right)) => match (left, right) {
                (Number::Int(left), Number::Int(right)) => Some(left.cmp(right)),
                (left, right) => left.as_f64().partial_cmp(&right.as_f64()),
            },
            (Family::Timestamp, left, right) => Some(moment(left)?.cmp(&moment(right)?)),
            _ => None,
        }
    }
}

impl Relation {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Relation::Equals => order.is_eq(),
            Relation::LessThan => order.is_lt(),
            Relation::GreaterThan => order.is_gt(),
            Relation::LessThanEquals => order.is_le(),
            Relation::GreaterThanEquals => order.is_ge(),
        }
    }
}

fn moment(value: &Json) -> Option<i128> {
    value.as_str().and_then(timestamp::parse_nanos)
}

/// `*` is the only wildcard; `\*` and `\\` are literal.
fn glob(pattern: &str) -> Vec<Glob> {
    let mut out = Vec::new();
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                if !text.is_empty() {
                    out.push(Glob::Text(std::mem::take(&mut text)));
                }
                if out.last() != Some(&Glob::Any) {
                    out.push(Glob::Any);
                }
            }
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        out.push(Glob::Text(text));
    }
    out
}

/// Matches greedily from the left: with `*` as the only wildcard, the first place where a piece fits is enough.
///
/// It loops rather than recurring: a pattern may have as many pieces as a definition has characters.
fn glob_matches(pattern: &[Glob], text: &str) -> bool {
    let mut text = text;
    // Whether the next piece may stand anywhere, not only here.
    let mut floating = false;
    for (index, piece) in pattern.iter().enumerate() {
        let Glob::Text(piece) = piece else {
            floating = true;
            continue;
        };
        if floating && index + 1 == pattern.len() {
            return text.ends_with(&**piece);
        }
        let at = if floating { text.find(&**piece) } else { text.starts_with(&**piece).then_some(0) };
        let Some(at) = at else { return false };
        text = &text[at + piece.len()..];
        floating = false;
    }
    floating || text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_matches() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("log-*.txt", "log-1.txt", true),
            ("log-*.txt", "log-1.csv", false),
            ("*a*a", "aba", true),
            ("*a*a", "a", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "aXb", false),
            ("a\\\\b", "a\\b", true),
            ("**", "x", true),
            ("*ab", "aab", true),
            ("a*", "ba", false),
            ("*a*b", "ab-b-a", false),
            ("a*b*c", "a-b-c", true),
        ] {
            assert_eq!(glob_matches(&glob(pattern), text), want, "{pattern} on {text}");
        }
    }
}
