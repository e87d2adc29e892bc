//! What an evaluation was doing when it failed, found by letting it fail again.
//!
//! jsonata-js says which function did not like its argument and which values could not be compared; the library does
//! not tell. Failing is rare and evaluating repeats exactly, so a failed expression is evaluated once more with notes
//! put into its tree: before a call, which one; beside an operator, its operands. The last note is of what failed.

use std::cell::RefCell;
use std::rc::Rc;

use jsonata_core::ast::{AstNode, BinaryOp};
use jsonata_core::evaluator::{Evaluator as Core, EvaluatorError};
use jsonata_core::value::{JValue, with_stack};

use crate::children::each_child_mut;
use crate::names;
use crate::syntax::quoted;
use crate::values::shown;

/// What can fail in ways that want its name or its values told.
#[derive(Clone, Debug)]
struct Place {
    /// A function's name, or an operator; `None` for a function without a name.
    name: Option<String>,
    /// The builtin function that `$map` or `$filter` applies: what is wrong with a first argument is wrong with its,
    /// because theirs may be anything.
    callback: Option<String>,
}

/// The places of a tree, and what was noted of them.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    places: Vec<Place>,
    noted: Rc<RefCell<Noted>>,
}

#[derive(Debug, Default)]
struct Noted {
    last: Option<usize>,
    /// By place: left and right operand.
    operands: Vec<[JValue; 2]>,
}

/// The function that notes; no expression can spell it.
const NOTED: &str = "our noted";

impl Seen {
    /// Puts notes into `tree`.
    pub(crate) fn watch(tree: &mut AstNode) -> Seen {
        let mut seen = Seen::default();
        seen.put(tree);
        let none = [JValue::Undefined, JValue::Undefined];
        seen.noted.borrow_mut().operands = vec![none; seen.places.len()];
        seen
    }

    /// Gives `core` the function that notes.
    pub(crate) fn register(&self, core: &mut Core) -> Result<(), EvaluatorError> {
        let noted = self.noted.clone();
        core.register_fn(NOTED, move |arguments: &[JValue]| {
            let index =
                |at: usize| arguments.get(at).and_then(JValue::as_f64).map_or(0, |index| index as usize);
            let value = arguments.get(2).cloned().unwrap_or(JValue::Undefined);
            let mut noted = noted.borrow_mut();
            noted.last = Some(index(0));
            if let Some(operands) = noted.operands.get_mut(index(0)) {
                operands[index(1).min(1)] = value.clone();
            }
            Ok(value)
        })
    }

    fn put(&mut self, node: &mut AstNode) {
        each_child_mut(node, &mut |child| with_stack(|| self.put(child)));
        match node {
            AstNode::Function { name, args, .. }
                if !args.iter().any(|arg| matches!(arg, AstNode::Placeholder)) =>
            {
                let name = name.strip_prefix("native ").unwrap_or(name).to_owned();
                if name.starts_with("our ") {
                    return;
                }
                let callback = match args.last() {
                    Some(AstNode::Variable(callback))
                        if names::is_builtin(callback) && matches!(name.as_str(), "map" | "filter") =>
                    {
                        Some(callback.clone())
                    }
                    _ => None,
                };
                self.places.push(Place { name: Some(name), callback });
                let place = self.places.len() - 1;
                match args.last_mut() {
                    Some(last) => note(last, place, 0),
                    None => {
                        let mut nothing = AstNode::Null;
                        note(&mut nothing, place, 0);
                        let call = std::mem::replace(node, AstNode::Undefined);
                        *node = AstNode::Block(vec![nothing, call]);
                    }
                }
            }
            AstNode::Call { args, .. } => {
                if let Some(last) = args.last_mut() {
                    let place = self.place(None);
                    note(last, place, 0);
                }
            }
            // What is on the right is a function's name, or a function; a call there notes itself.
            AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs }
                if !matches!(**rhs, AstNode::Function { .. }) =>
            {
                let place = self.place(match &**rhs {
                    AstNode::Variable(name) => Some(name.as_str()),
                    _ => None,
                });
                note(lhs, place, 0);
            }
            AstNode::Binary { op, lhs, rhs } => {
                if let Some(operator) = symbol(*op) {
                    let place = self.place(Some(operator));
                    note(lhs, place, 0);
                    note(rhs, place, 1);
                }
            }
            AstNode::Unary { operand, .. } => {
                let place = self.place(Some("-"));
                note(operand, place, 0);
            }
            AstNode::Object(pairs) | AstNode::ObjectTransform { pattern: pairs, .. } => {
                for (key, _) in pairs {
                    let place = self.place(Some("key"));
                    note(key, place, 0);
                }
            }
            _ => {}
        }
    }

    fn place(&mut self, name: Option<&str>) -> usize {
        self.places.push(Place { name: name.map(str::to_owned), callback: None });
        self.places.len() - 1
    }

    /// jsonata-js's words about the last place noted.
    pub(crate) fn words(&self, code: &str, message: &str) -> Option<String> {
        let noted = self.noted.borrow();
        let at = noted.last?;
        let place = &self.places[at];
        let index = || index_of_argument(message, place);
        let name = match (&place.name, &place.callback) {
            (_, Some(callback)) if index() == Some(1) => quoted(callback),
            (Some(name), _) => quoted(name),
            (None, _) => "undefined".to_owned(),
        };
        let [left, right] = &noted.operands[at];
        let (left_text, right_text) = (shown(left), shown(right));
        Some(match code {
            "D1002" => format!("Cannot negate a non-numeric value: {left_text}"),
            "D2014" => format!(
                "The size of the sequence allocated by the range operator (..) must not exceed 1e6.  Attempted to \
                 allocate {}.",
                shown(&JValue::Number(right.as_f64()? - left.as_f64()? + 1.0))
            ),
            "T0410" => {
                let index = index()?;
                format!("Argument {index} of function {name} does not match function signature")
            }
            "T0411" => {
                let index = index()?;
                format!("Context value is not a compatible type with argument {index} of function {name}")
            }
            "T0412" => {
                let index = index()?;
                let kind = quoted(&format!("{}s", message.rsplit(' ').next()?.to_lowercase()));
                format!("Argument {index} of function {name} must be an array of {kind}")
            }
            "T1003" => format!("Key in object structure must evaluate to a string; got: {left_text}"),
            "T2009" => format!(
                "The values {left_text} and {right_text} either side of operator {name} must be of the same data type"
            ),
            "T2010" => {
                format!(
                    "The expressions either side of operator {name} must evaluate to numeric or string values"
                )
            }
            _ => return None,
        })
    }
}

/// `node` becomes a call that notes its value for `place`.
fn note(node: &mut AstNode, place: usize, side: usize) {
    let value = std::mem::replace(node, AstNode::Undefined);
    let number = |index: usize| AstNode::Number(index as f64);
    *node = AstNode::Function {
        name: NOTED.to_owned(),
        args: vec![number(place), number(side), value],
        is_builtin: true,
    };
}

/// Operators whose failures show their operands or themselves.
fn symbol(operator: BinaryOp) -> Option<&'static str> {
    Some(match operator {
        BinaryOp::LessThan => "<",
        BinaryOp::LessThanOrEqual => "<=",
        BinaryOp::GreaterThan => ">",
        BinaryOp::GreaterThanOrEqual => ">=",
        BinaryOp::Range => "..",
        _ => return None,
    })
}

/// The argument that a complaint is about, counted from one: named, or the first one missing or one too many.
fn index_of_argument(message: &str, place: &Place) -> Option<usize> {
    if let Some(rest) = message.split("rgument ").nth(1)
        && let Some(index) = rest.split(' ').next().and_then(|word| word.parse().ok())
    {
        return Some(index);
    }
    let given: usize = message.rsplit("got ").next()?.parse().ok()?;
    let wanted = || message.split("expected ").nth(1)?.split(',').next()?.parse().ok();
    let most: usize = match &place.name {
        Some(name) => names::arguments_max(name)?,
        None => wanted()?,
    };
    Some(if given > most { most + 1 } else { given + 1 })
}
