//! Paths of plain names, answered from the language's own values.
//!
//! Most expressions only pass a value on: `$states.input.order.id`. Such a value need not become the evaluator's and
//! back: it is shared instead of copied, and its numbers stay as they were written, integers beyond 2^53 included.
//! Where an array lies on the way JSONata maps over it; that is left to the evaluator.

use std::sync::Arc;

use asl::json::Json;
use asl::jsonata::Surroundings;
use jsonata_core::ast::AstNode;

/// `$variable.name.name`, or `$states.member.name`.
#[derive(Debug)]
pub(crate) struct MemberPath {
    root: Root,
    names: Vec<Arc<str>>,
}

#[derive(Debug)]
enum Root {
    Variable(Arc<str>),
    States(Arc<str>),
}

/// What a path of plain names found.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    /// This value, or that there is none.
    Value(Option<Json>),
    /// An array that has to be mapped over.
    Array,
}

impl MemberPath {
    /// The path, if the tree is one.
    pub(crate) fn of(tree: &AstNode) -> Option<MemberPath> {
        let AstNode::Path { steps } = tree else {
            let AstNode::Variable(name) = tree else { return None };
            return MemberPath::from(name, &[]);
        };
        let plain = |step: &jsonata_core::ast::PathStep| {
            step.stages.is_empty() && step.focus.is_none() && step.index_var.is_none() && !step.is_tuple
        };
        let (first, rest) = steps.split_first()?;
        let AstNode::Variable(root) = &first.node else { return None };
        if !steps.iter().all(plain) {
            return None;
        }
        let names: Option<Vec<Arc<str>>> = rest
            .iter()
            .map(|step| match &step.node {
                AstNode::Name(name) => Some(name.as_str().into()),
                _ => None,
            })
            .collect();
        MemberPath::from(root, &names?)
    }

    fn from(root: &str, names: &[Arc<str>]) -> Option<MemberPath> {
        let (root, names) = match (root, names) {
            ("", _) | ("states", []) => return None,
            ("states", [member, names @ ..]) => (Root::States(member.clone()), names),
            (variable, names) => (Root::Variable(variable.into()), names),
        };
        Some(MemberPath { root, names: names.to_vec() })
    }

    /// The value at the end of the path.
    pub(crate) fn find(&self, surroundings: &dyn Surroundings) -> Found {
        let root = match &self.root {
            Root::Variable(name) => surroundings.variable(name),
            Root::States(member) => surroundings.states(member),
        };
        let Some(root) = root else { return Found::Value(None) };
        let mut value = &root;
        for name in &self.names {
            value = match value {
                Json::Array(_) => return Found::Array,
                Json::Object(members) => match members.get(&**name) {
                    Some(member) => member,
                    None => return Found::Value(None),
                },
                _ => return Found::Value(None),
            };
        }
        Found::Value(Some(value.clone()))
    }
}
