//! The direct parts of a node of the library's tree, to walk it or to edit it.

use jsonata_core::ast::{AstNode, Stage, StepId};

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
        AstNode::Unary { operand: inner, .. }
        | AstNode::Lambda { body: inner, .. }
        | AstNode::FunctionApplication(inner) => {
            see(inner);
        }
        AstNode::Function { args: items, .. }
        | AstNode::Array(items)
        | AstNode::ArrayGroup(items)
        | AstNode::Block(items) => {
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
        AstNode::Unary { operand: inner, .. }
        | AstNode::Lambda { body: inner, .. }
        | AstNode::FunctionApplication(inner) => {
            edit(inner);
        }
        AstNode::Function { args: items, .. }
        | AstNode::Array(items)
        | AstNode::ArrayGroup(items)
        | AstNode::Block(items) => {
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
