//! Calls that need no definition, because what they are called with can be looked at where it stands.
//!
//! A definition costs a function call of the expression's own, ten times what the library's function takes. Most calls
//! are plain: `$string(x)`, `$contains(text, /pattern/)`. Their argument is looked at in place, and the library's
//! function stays. What is left over is functions as values, partial applications, calls that take the context, and
//! arguments that would be evaluated twice.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, UnaryOp};
use jsonata_core::value::with_stack;

use super::definition;
use crate::children::each_child_mut;
use crate::guards::{weigh, weigh_unless_scalar};

/// Puts the looks at arguments into a tree. The result names the functions that are also used otherwise.
pub(crate) fn look_at_arguments(tree: &mut AstNode) -> BTreeSet<&'static str> {
    let mut otherwise = BTreeSet::new();
    visit(tree, &mut otherwise);
    otherwise
}

fn visit(node: &mut AstNode, otherwise: &mut BTreeSet<&'static str>) {
    match node {
        // In a step there is a context, and the argument is that.
        AstNode::FunctionApplication(step) => {
            if let AstNode::Function { name, args, .. } = &mut **step
                && name == "string"
                && args.is_empty()
            {
                args.push(AstNode::Variable(String::new()));
            }
        }
        AstNode::Variable(name) => {
            otherwise.extend(definition(name).map(|definition| definition.name));
        }
        AstNode::Function { name, args, .. } => {
            if let Some(definition) = definition(name)
                && !looked_at(name, args)
            {
                otherwise.insert(definition.name);
            }
        }
        // A call behind `~>` gets another argument before its own.
        AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => {
            with_stack(|| visit(lhs, otherwise));
            if let AstNode::Function { name, args, .. } = &mut **rhs {
                // A test is the last argument, and looked at, with or without one before it.
                if !is_test(name) {
                    otherwise.extend(definition(name).map(|definition| definition.name));
                }
                args.iter_mut().for_each(|argument| with_stack(|| visit(argument, otherwise)));
            } else {
                with_stack(|| visit(rhs, otherwise));
            }
            return;
        }
        _ => {}
    }
    each_child_mut(node, &mut |child| with_stack(|| visit(child, otherwise)));
}

/// Puts the look at the arguments of a call into them, if that can be done.
fn looked_at(name: &str, arguments: &mut [AstNode]) -> bool {
    if arguments.iter().any(|argument| matches!(argument, AstNode::Placeholder)) {
        return false;
    }
    match (name, arguments) {
        ("string" | "boolean" | "not", [value]) => {
            weigh_unless_scalar(value);
            true
        }
        // Indented, whether or not it will be: that is the longer text.
        ("string", [value, _]) => look("our weighed", value, &[&mut AstNode::Boolean(true)]),
        ("contains", [_, AstNode::String(_)]) => true,
        ("contains", [text, pattern @ AstNode::Regex { .. }]) => look("our scanned", text, &[pattern]),
        ("split", [text, separator]) if is_literal(separator) => look("our split", text, &[separator]),
        ("match", [text, pattern]) if is_literal(pattern) => look("our matched", text, &[pattern]),
        ("join", [texts]) => look("our joined", texts, &[]),
        ("join", [texts, separator]) if is_literal(separator) => look("our joined", texts, &[separator]),
        ("replace", [text, pattern, with]) if is_literal(pattern) && is_literal(with) => {
            look("our replaced", text, &[pattern, with])
        }
        ("lookup", [_, _]) => true,
        ("keys", [value]) => look("our keyed", value, &[]),
        ("merge", [value]) => {
            weigh_unless_scalar(value);
            true
        }
        ("number", [value]) => look("our numeral", value, &[]),
        ("round", [_]) => true,
        ("substring", [_, start]) if is_small(start) => true,
        ("substring", [_, start, length]) if is_small(start) && is_small(length) => true,
        ("spread", [value]) => look("our spread", value, &[]),
        (name, [_, _]) if is_test(name) => true,
        ("reduce", [items, _]) => look("our reducible", items, &[]),
        ("reduce", [_, _, _]) => true,
        ("fromMillis", [millis]) => look("our date", millis, &[]),
        _ => false,
    }
}

/// Whether the function calls another whose result is taken for true or false; the tree has that result looked at.
fn is_test(name: &str) -> bool {
    matches!(name, "filter" | "single" | "sift")
}

fn look(function: &str, argument: &mut AstNode, others: &[&mut AstNode]) -> bool {
    weigh(argument);
    if let AstNode::Function { name, args, .. } = argument {
        function.clone_into(name);
        args.extend(others.iter().map(|other| (**other).clone()));
    }
    true
}

/// A whole number as people write them, for which the library has the right answer.
fn is_small(node: &AstNode) -> bool {
    match node {
        AstNode::Number(number) => number.fract() == 0.0 && number.abs() < 10_000.0,
        AstNode::Unary { op: UnaryOp::Negate, operand } => is_small(operand),
        _ => false,
    }
}

fn is_literal(node: &AstNode) -> bool {
    matches!(node, AstNode::String(_) | AstNode::Regex { .. })
}
