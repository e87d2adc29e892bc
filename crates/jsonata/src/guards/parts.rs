//! Which expressions are certainly parts of the surroundings' values.
//!
//! Those values are trees, no part of them is shared, and a payload's bound holds for them: nothing has to be looked at
//! before it is walked. Most expressions have nothing else.

use std::collections::{HashMap, HashSet};

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;

use super::{call, is_scalar};
use crate::children::each_child;
use crate::functions;
use crate::names;

/// What is known of the variables of a tree. Those of one name count as one variable.
#[derive(Debug)]
pub(super) struct Parts {
    /// Variables that the tree binds to something that may be more than a part.
    made: HashSet<String>,
    /// How many arguments the function takes that a variable is bound to, where that is certain.
    takes: HashMap<String, usize>,
}

/// What a variable may be.
enum Source<'a> {
    Value(&'a AstNode),
    /// An item of it.
    ItemOf(&'a AstNode),
    Unknown,
}

impl Parts {
    pub(super) fn of(tree: &AstNode) -> Parts {
        let mut sources = Vec::new();
        collect(tree, &mut sources);
        let mut parts = Parts { made: HashSet::new(), takes: taken(&sources) };
        // Whatever is made of something that is made is made: until nothing is added.
        loop {
            let before = parts.made.len();
            for (name, source) in &sources {
                let is_part = match source {
                    Source::Value(node) | Source::ItemOf(node) => is_scalar(node) || parts.is_part(node),
                    Source::Unknown => false,
                };
                if !is_part {
                    parts.made.insert((*name).to_owned());
                }
            }
            if parts.made.len() == before {
                return parts;
            }
        }
    }

    /// Whether the value is a part of the surroundings' values, or a list of different parts.
    pub(super) fn is_part(&self, node: &AstNode) -> bool {
        match node {
            AstNode::Variable(name) => {
                !name.is_empty() && !self.made.contains(name) && !names::is_builtin(name)
            }
            AstNode::Path { steps } => match steps.split_first() {
                Some((head, rest)) => {
                    self.is_part(&head.node)
                        && is_plain(head)
                        && rest.iter().all(|step| matches!(step.node, AstNode::Name(_)) && is_plain(step))
                }
                None => false,
            },
            AstNode::Function { name, args, .. } => {
                matches!(name.as_str(), "filter" | "sort" | "reverse" | "distinct" | "keys" | "single")
                    && args.first().is_some_and(|first| self.is_part(first))
            }
            _ => false,
        }
    }

    /// Has the result of a function counted that is applied to test items: `test` becomes a function that does.
    pub(super) fn test(&self, test: &mut AstNode) {
        // No part of a payload is a function, and neither is a scalar: those are refused as they are.
        if is_scalar(test) || self.is_part(test) {
            return;
        }
        let takes = match test {
            AstNode::Lambda { body, .. } => {
                if !is_scalar(body) && !self.is_part(body) {
                    call(functions::COUNTED, body);
                }
                return;
            }
            AstNode::Placeholder => return,
            AstNode::Variable(name) => {
                self.takes.get(name.as_str()).copied().or_else(|| names::arguments_max(name))
            }
            _ => None,
        };
        // Functions pay no heed to arguments beyond theirs, unless they have a signature.
        let params: Vec<String> =
            ARGUMENTS[..takes.unwrap_or(3).min(3)].iter().map(|name| (*name).to_owned()).collect();
        let procedure = std::mem::replace(test, AstNode::Undefined);
        let mut body = AstNode::Call {
            procedure: Box::new(procedure),
            args: params.iter().cloned().map(AstNode::Variable).collect(),
        };
        call(functions::COUNTED, &mut body);
        *test = AstNode::Lambda { params, body: Box::new(body), signature: None, thunk: false };
    }
}

/// Names that no expression can spell.
const ARGUMENTS: [&str; 3] = ["tested item", "tested index", "tested items"];

/// Neither bindings nor anything but predicates.
fn is_plain(step: &PathStep) -> bool {
    let only_filters = step.stages.iter().all(|stage| !matches!(stage, Stage::Index(_)));
    only_filters && step.focus.is_none() && step.index_var.is_none()
}

fn collect<'a>(node: &'a AstNode, sources: &mut Vec<(&'a str, Source<'a>)>) {
    match node {
        AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
            if let AstNode::Variable(name) = &**lhs {
                sources.push((name, Source::Value(rhs)));
            }
        }
        AstNode::Function { name, args, .. } => {
            if let [items, AstNode::Lambda { params, .. }, ..] = args.as_slice()
                && matches!(name.as_str(), "map" | "filter" | "single" | "each" | "sift")
            {
                for (index, param) in params.iter().enumerate() {
                    // The item, its place, and all items.
                    let source = match index {
                        0 => Source::ItemOf(items),
                        1 => Source::Value(&AstNode::Null),
                        _ => Source::Value(items),
                    };
                    sources.push((param, source));
                }
                // The lambda's parameters are told; what is in it follows.
                for child in args {
                    match child {
                        AstNode::Lambda { body, .. } => with_stack(|| collect(body, sources)),
                        other => with_stack(|| collect(other, sources)),
                    }
                }
                return;
            }
        }
        AstNode::Lambda { params, .. } => {
            sources.extend(params.iter().map(|param| (param.as_str(), Source::Unknown)));
        }
        AstNode::Path { steps } => {
            for step in steps {
                let bound = step.focus.iter().chain(&step.index_var);
                sources.extend(bound.map(|name| (name.as_str(), Source::Unknown)));
            }
        }
        _ => {}
    }
    each_child(node, &mut |child| with_stack(|| collect(child, sources)));
}

/// The functions that variables are bound to and nothing else.
fn taken(sources: &[(&str, Source<'_>)]) -> HashMap<String, usize> {
    let mut takes: HashMap<String, Option<usize>> = HashMap::new();
    for (name, source) in sources {
        let count = match source {
            Source::Value(AstNode::Lambda { params, .. }) => Some(params.len()),
            Source::Value(AstNode::Variable(builtin)) => names::arguments_max(builtin),
            _ => None,
        };
        let known = takes.entry((*name).to_owned()).or_insert(count);
        if *known != count {
            *known = None;
        }
    }
    takes.into_iter().filter_map(|(name, count)| Some((name, count?))).collect()
}
