//! Bounds around what the evaluator cannot be stopped in.
//!
//! It looks at the clock and at the meter between its steps. Within one step it may walk a whole value, and values
//! share their parts: forty turns of `{'a': $x, 'b': $x}` make a small value with a trillion leaves. So the tree is
//! edited when it is compiled: an operand that such a step walks is weighed first, and the builtin functions that make
//! much out of little are ours ([`functions`]). The edits change no value; they only fail where the bounds are met.
//!
//! Copying the evaluator and giving every loop a check would be the thorough way, and thirteen thousand lines of
//! somebody else's code to keep.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage, StepId};
use jsonata_core::value::with_stack;

use crate::functions::{self, Definition};
use crate::names::Names;

/// A tree ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// The expression, behind the definitions that it uses.
    tree: AstNode,
    /// Those definitions: none of them is a variable's name in most surroundings.
    definitions: Vec<&'static Definition>,
}

impl Guarded {
    /// Puts the bounds around `tree`.
    pub(crate) fn new(mut tree: AstNode, names: &Names) -> Guarded {
        Weights { binds: binds(&tree) }.put(&mut tree);
        let definitions: Vec<&'static Definition> =
            names.builtins.iter().filter_map(|name| functions::definition(name)).collect();
        Guarded { tree: behind(&definitions, tree), definitions }
    }

    /// The tree for surroundings in which `is_variable` says what names variables have.
    pub(crate) fn tree(&self, is_variable: impl Fn(&str) -> bool) -> std::borrow::Cow<'_, AstNode> {
        if !self.definitions.iter().any(|definition| is_variable(definition.name)) {
            return std::borrow::Cow::Borrowed(&self.tree);
        }
        let AstNode::Block(parts) = &self.tree else { unreachable!("definitions stand in a block") };
        let expression = parts.last().expect("the expression is behind its definitions").clone();
        let left: Vec<_> =
            self.definitions.iter().copied().filter(|definition| !is_variable(definition.name)).collect();
        std::borrow::Cow::Owned(behind(&left, expression))
    }
}

/// The expression in one block with the definitions before it.
fn behind(definitions: &[&Definition], expression: AstNode) -> AstNode {
    if definitions.is_empty() {
        return expression;
    }
    let mut parts: Vec<AstNode> = definitions.iter().flat_map(|definition| definition.assignments()).collect();
    parts.push(expression);
    AstNode::Block(parts)
}

/// Whether the expression can give a value a name, and so use it twice in the next value.
fn binds(tree: &AstNode) -> bool {
    let mut found = matches!(tree, AstNode::Lambda { .. } | AstNode::Binary { op: BinaryOp::ColonEqual, .. });
    each_child(tree, &mut |child| found = found || with_stack(|| binds(child)));
    found
}

/// The edit that weighs operands.
struct Weights {
    binds: bool,
}

impl Weights {
    fn put(&self, node: &mut AstNode) {
        each_child_mut(node, &mut |child| with_stack(|| self.put(child)));
        match node {
            AstNode::Binary { op: BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In, lhs, rhs } => {
                // Comparing with a scalar looks at one value only.
                if !is_scalar(lhs) && !is_scalar(rhs) {
                    weigh(lhs);
                    weigh(rhs);
                }
            }
            AstNode::Binary { op: BinaryOp::Concatenate, lhs, rhs } => {
                weigh_unless_scalar(lhs);
                weigh_unless_scalar(rhs);
            }
            AstNode::Binary { op: BinaryOp::And | BinaryOp::Or, lhs, rhs } if self.binds => {
                weigh_unless_scalar(lhs);
                weigh_unless_scalar(rhs);
            }
            AstNode::Conditional { condition, .. } if self.binds => weigh_unless_scalar(condition),
            AstNode::Object(pairs) | AstNode::ObjectTransform { pattern: pairs, .. } => {
                // A key that is no string is shown in the error.
                pairs.iter_mut().for_each(|(key, _)| weigh_unless_scalar(key));
            }
            AstNode::Path { steps } => self.steps(steps),
            AstNode::Transform { .. } => transform(node),
            _ => {}
        }
    }

    fn steps(&self, steps: &mut Vec<PathStep>) {
        for step in steps.iter_mut() {
            for stage in &mut step.stages {
                if let Stage::Filter(filter) = stage
                    && self.binds
                {
                    weigh_unless_scalar(filter);
                }
            }
        }
        // `a.b.**` becomes `weighed(a.b).**`. A path that carries bindings along cannot be cut, and need not be: its
        // steps make one item after the other.
        let Some(at) = steps.iter().position(|step| matches!(step.node, AstNode::Descendant | AstNode::Wildcard))
        else {
            return;
        };
        if at == 0 || steps.iter().any(|step| step.is_tuple || step.inner_tuple) {
            return;
        }
        let rest = steps.split_off(at);
        let mut before = match steps.as_mut_slice() {
            [only] if only.stages.is_empty() => std::mem::replace(&mut only.node, AstNode::Undefined),
            _ => AstNode::Path { steps: std::mem::take(steps) },
        };
        weigh(&mut before);
        *steps = vec![PathStep::new(before)];
        steps.extend(rest);
    }
}

/// A transform copies what it transforms: `function($object){ $weighed($object) ~> |…|…| }`.
fn transform(node: &mut AstNode) {
    let transform = std::mem::replace(node, AstNode::Undefined);
    let mut object = AstNode::Variable(TRANSFORMED.to_owned());
    weigh(&mut object);
    *node = AstNode::Lambda {
        params: vec![TRANSFORMED.to_owned()],
        body: Box::new(AstNode::Binary {
            op: BinaryOp::ChainPipe,
            lhs: Box::new(object),
            rhs: Box::new(transform),
        }),
        signature: Some("<(oa):o>".to_owned()),
        thunk: false,
    };
}

/// A name that no expression can spell.
const TRANSFORMED: &str = "transformed object";

fn weigh_unless_scalar(node: &mut AstNode) {
    if !is_scalar(node) {
        weigh(node);
    }
}

fn weigh(node: &mut AstNode) {
    let weighed = std::mem::replace(node, AstNode::Undefined);
    *node = AstNode::Function { name: functions::WEIGHED.to_owned(), args: vec![weighed], is_builtin: true };
}

/// Whether the value is certainly a string, a number, a boolean or null.
fn is_scalar(node: &AstNode) -> bool {
    match node {
        AstNode::String(_) | AstNode::Number(_) | AstNode::Boolean(_) | AstNode::Null | AstNode::Unary { .. } => true,
        AstNode::Function { name, .. } => name == functions::WEIGHED,
        AstNode::Binary { op, .. } => {
            !matches!(op, BinaryOp::ColonEqual | BinaryOp::ChainPipe | BinaryOp::Range | BinaryOp::Coalesce | BinaryOp::Default)
        }
        _ => false,
    }
}

/// Calls `see` for each direct part of `node`.
pub(crate) fn each_child<'a>(node: &'a AstNode, see: &mut dyn FnMut(&'a AstNode)) {
    match node {
        AstNode::Path { steps } => {
            for step in steps {
                see(&step.node);
                for stage in &step.stages {
                    if let Stage::Filter(filter) = stage {
                        see(filter);
                    }
                }
            }
        }
        AstNode::Binary { lhs, rhs, .. } => {
            see(lhs);
            see(rhs);
        }
        AstNode::Unary { operand: inner, .. } | AstNode::Lambda { body: inner, .. } | AstNode::FunctionApplication(inner) => {
            see(inner);
        }
        AstNode::Function { args: items, .. } | AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
            items.iter().for_each(see);
        }
        AstNode::Call { procedure, args } => {
            see(procedure);
            args.iter().for_each(see);
        }
        AstNode::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            see(key);
            see(value);
        }),
        AstNode::ObjectTransform { input, pattern } => {
            see(input);
            pattern.iter().for_each(|(key, value)| {
                see(key);
                see(value);
            });
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            see(condition);
            see(then_branch);
            else_branch.iter().for_each(|branch| see(branch));
        }
        AstNode::Sort { input, terms } => {
            see(input);
            terms.iter().for_each(|(term, _)| see(term));
        }
        AstNode::Transform { location, update, delete } => {
            see(location);
            see(update);
            delete.iter().for_each(|delete| see(delete));
        }
        AstNode::String(_)
        | AstNode::Name(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Variable(_)
        | AstNode::ParentVariable(_)
        | AstNode::Wildcard
        | AstNode::Descendant
        | AstNode::Parent(_) => {}
    }
}

/// Calls `edit` for each direct part of `node`. A step gets a new identity, because the library keeps what it compiled
/// of a step by that.
pub(crate) fn each_child_mut(node: &mut AstNode, edit: &mut dyn FnMut(&mut AstNode)) {
    match node {
        AstNode::Path { steps } => {
            for step in steps {
                step.id = StepId::default();
                edit(&mut step.node);
                for stage in &mut step.stages {
                    if let Stage::Filter(filter) = stage {
                        edit(filter);
                    }
                }
            }
        }
        AstNode::Binary { lhs, rhs, .. } => {
            edit(lhs);
            edit(rhs);
        }
        AstNode::Unary { operand: inner, .. } | AstNode::Lambda { body: inner, .. } | AstNode::FunctionApplication(inner) => {
            edit(inner);
        }
        AstNode::Function { args: items, .. } | AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => {
            items.iter_mut().for_each(edit);
        }
        AstNode::Call { procedure, args } => {
            edit(procedure);
            args.iter_mut().for_each(edit);
        }
        AstNode::Object(pairs) => pairs.iter_mut().for_each(|(key, value)| {
            edit(key);
            edit(value);
        }),
        AstNode::ObjectTransform { input, pattern } => {
            edit(input);
            pattern.iter_mut().for_each(|(key, value)| {
                edit(key);
                edit(value);
            });
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            edit(condition);
            edit(then_branch);
            else_branch.iter_mut().for_each(|branch| edit(branch));
        }
        AstNode::Sort { input, terms } => {
            edit(input);
            terms.iter_mut().for_each(|(term, _)| edit(term));
        }
        AstNode::Transform { location, update, delete } => {
            edit(location);
            edit(update);
            delete.iter_mut().for_each(|delete| edit(delete));
        }
        AstNode::String(_)
        | AstNode::Name(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Variable(_)
        | AstNode::ParentVariable(_)
        | AstNode::Wildcard
        | AstNode::Descendant
        | AstNode::Parent(_) => {}
    }
}
