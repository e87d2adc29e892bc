//! Which steps and predicates of a path certainly give nothing of their items twice.
//!
//! A path's step is evaluated once for each item, and what it gives for all of them is put into one list in one go.
//! When that is made of different parts of the items it weighs no more than they do; when it is a variable, or twice the
//! item, the product of the two may be a billion.

use std::collections::HashSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;

use super::is_scalar;
use crate::children::each_child;
use crate::functions::{COUNTED, LISTED, WEIGHED};

/// Builtin functions that give a string, a number or a boolean, sorted.
const SCALAR: [&str; 46] = [
    "abs",
    "assert",
    "average",
    "base64decode",
    "base64encode",
    "boolean",
    "ceil",
    "contains",
    "count",
    "decodeUrl",
    "decodeUrlComponent",
    "encodeUrl",
    "encodeUrlComponent",
    "error",
    "exists",
    "floor",
    "formatBase",
    "formatInteger",
    "formatNumber",
    "fromMillis",
    "hash",
    "join",
    "length",
    "lowercase",
    "max",
    "millis",
    "min",
    "not",
    "now",
    "number",
    "pad",
    "parseInteger",
    "power",
    "random",
    "replace",
    "round",
    "sqrt",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "sum",
    "toMillis",
    "trim",
    "type",
    "uppercase",
];

/// What is known of a tree's own names.
#[derive(Debug)]
pub(super) struct Own {
    /// Variables that the tree binds: none of them is certainly a builtin function.
    bound: HashSet<String>,
}

impl Own {
    pub(super) fn of(tree: &AstNode) -> Own {
        let mut bound = HashSet::new();
        collect_bound(tree, &mut bound);
        Own { bound }
    }

    /// Whether what `node` gives for an item is made of scalars and of different parts of that item.
    pub(super) fn gives_parts(&self, node: &AstNode) -> bool {
        let mut taken = Vec::new();
        if !self.takes(node, &mut taken) {
            return false;
        }
        // One that is the beginning of another is in it.
        taken.sort();
        taken.windows(2).all(|pair| !pair[1].starts_with(&pair[0]))
    }

    /// Whether a predicate certainly takes an item once or not at all. A list of indices may have one twice.
    pub(super) fn selects_once(&self, predicate: &AstNode) -> bool {
        match predicate {
            AstNode::Block(parts) => parts.last().is_none_or(|last| self.selects_once(last)),
            AstNode::Function { name, args, .. } if is_look(name) => {
                args.first().is_some_and(|looked_at| self.selects_once(looked_at))
            }
            other => self.is_scalar(other),
        }
    }

    /// Whether the value is certainly a string, a number, a boolean or null, and not just looked at.
    fn is_scalar(&self, node: &AstNode) -> bool {
        match node {
            AstNode::Function { name, .. } => {
                SCALAR.binary_search(&name.as_str()).is_ok() && !self.bound.contains(name)
            }
            other => is_scalar(other),
        }
    }

    /// Adds the paths of the item's parts that `node` gives; false when it may give anything else.
    fn takes<'a>(&self, node: &'a AstNode, taken: &mut Vec<Vec<&'a str>>) -> bool {
        with_stack(|| match node {
            AstNode::Variable(name) if name.is_empty() => {
                taken.push(Vec::new());
                true
            }
            AstNode::Name(name) => {
                taken.push(vec![name]);
                true
            }
            AstNode::Path { steps } => {
                let Some(names) = names(steps) else { return false };
                taken.push(names);
                true
            }
            AstNode::Object(pairs) => pairs.iter().all(|(_, value)| self.takes(value, taken)),
            AstNode::Array(items) | AstNode::ArrayGroup(items) => {
                items.iter().all(|item| self.takes(item, taken))
            }
            AstNode::FunctionApplication(inner) => self.takes(inner, taken),
            AstNode::Block(parts) => match parts.as_slice() {
                [only] => self.takes(only, taken),
                _ => false,
            },
            AstNode::Conditional { then_branch, else_branch, .. } => {
                self.takes(then_branch, taken)
                    && else_branch.as_ref().is_none_or(|branch| self.takes(branch, taken))
            }
            AstNode::Function { name, args, .. } if is_look(name) => {
                args.first().is_some_and(|looked_at| self.takes(looked_at, taken))
            }
            AstNode::Lambda { .. } | AstNode::Regex { .. } | AstNode::Undefined => true,
            other => self.is_scalar(other),
        })
    }
}

/// Whether the function gives back its argument.
fn is_look(name: &str) -> bool {
    name == COUNTED || name == WEIGHED || name == LISTED
}

/// The names of a path from the item on, if it is nothing but names.
fn names(steps: &[PathStep]) -> Option<Vec<&str>> {
    let mut names = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        if !is_bare(step) {
            return None;
        }
        match &step.node {
            AstNode::Name(name) => names.push(name.as_str()),
            AstNode::Variable(name) if name.is_empty() && at == 0 => {}
            _ => return None,
        }
    }
    Some(names)
}

/// Neither bindings nor predicates.
pub(super) fn is_bare(step: &PathStep) -> bool {
    step.stages.iter().all(|stage| *stage == Stage::KeepArray)
        && step.focus.is_none()
        && step.index_var.is_none()
        && step.ancestor_label.is_none()
}

fn collect_bound(node: &AstNode, bound: &mut HashSet<String>) {
    match node {
        AstNode::Binary { op: BinaryOp::ColonEqual, lhs, .. } => {
            if let AstNode::Variable(name) = &**lhs {
                bound.insert(name.clone());
            }
        }
        AstNode::Lambda { params, .. } => bound.extend(params.iter().cloned()),
        AstNode::Path { steps } => {
            for step in steps {
                bound.extend(step.focus.iter().chain(&step.index_var).cloned());
                bound.extend(step.stages.iter().filter_map(|stage| match stage {
                    Stage::Index(name) => Some(name.clone()),
                    _ => None,
                }));
            }
        }
        _ => {}
    }
    each_child(node, &mut |child| with_stack(|| collect_bound(child, bound)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> (Own, AstNode) {
        let tree = jsonata_core::parser::parse(&format!("$x.{text}")).unwrap();
        let AstNode::Path { steps } = &tree else { panic!("{text} is no step") };
        (Own::of(&tree), steps[1].node.clone())
    }

    #[test]
    fn what_is_made_of_different_parts_is_told_from_what_is_not() {
        for text in
            ["a", "{'a': a, 'b': b.c}", "(a)", "[a, b]", "$sum(a)", "{'a': a & b, 'n': 1}", "(a ? b : c)"]
        {
            let (own, node) = step(text);
            assert!(own.gives_parts(&node), "{text}");
        }
        for text in [
            "$y",
            "{'a': $y}",
            "[$, $]",
            "{'a': a, 'b': a.c}",
            "$append(a, a)",
            "($sum := $y; $sum(a))",
            "(a[b])",
        ] {
            let (own, node) = step(text);
            assert!(!own.gives_parts(&node), "{text}");
        }
    }

    #[test]
    fn the_functions_that_give_scalars_are_sorted() {
        assert!(SCALAR.is_sorted());
    }
}
