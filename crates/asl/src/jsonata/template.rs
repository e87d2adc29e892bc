//! Values with expressions in them: `Arguments`, `Output`, `Assign` and their like in JSONata mode.
//!
//! An expression may stand for any value at any depth; everything else is itself. What holds no expression is one
//! shared literal, so that evaluating it copies nothing.

use std::sync::Arc;

use super::{Evaluation, Expected, Expression, Jsonata, Program, QueryFailure, Refusal, Sees, source};
use crate::json::{Json, Object};

/// A compiled value.
#[derive(Clone, Debug)]
pub struct Template {
    root: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Literal(Json),
    Array(Vec<Node>),
    Object(Vec<(Arc<str>, Node)>),
    Expression(Expression),
}

/// An expression that cannot be compiled, and where in the template it stands: `/a/b[0]`.
pub(crate) struct Misplaced {
    pub(crate) below: String,
    pub(crate) refusal: Refusal,
}

impl Template {
    /// Compiles `value`, which stands in `field` of its state.
    pub(crate) fn compile(
        jsonata: &dyn Jsonata,
        value: &Json,
        field: &str,
        sees: Sees,
    ) -> Result<Template, Vec<Misplaced>> {
        let mut compiler = Compiler { jsonata, field, sees, misplaced: Vec::new() };
        let root = compiler.node(value, &mut String::new());
        if compiler.misplaced.is_empty() { Ok(Template { root }) } else { Err(compiler.misplaced) }
    }

    /// The value, if the template holds no expression.
    pub fn literal(&self) -> Option<&Json> {
        match &self.root {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// What its expressions read.
    pub fn programs(&self) -> Vec<&Program> {
        let mut programs = Vec::new();
        self.root.collect(&mut programs);
        programs
    }

    /// The template's value.
    ///
    /// # Errors
    /// The first expression that gave none.
    pub fn evaluate(&self, evaluation: &mut dyn Evaluation) -> Result<Json, QueryFailure> {
        self.root.evaluate(evaluation)
    }

    /// The template's value, when it must be of a type: one expression as a whole is asked for it.
    ///
    /// # Errors
    /// The first expression that gave none, or something else.
    pub fn evaluate_as(
        &self,
        evaluation: &mut dyn Evaluation,
        expected: Expected,
    ) -> Result<Json, QueryFailure> {
        match &self.root {
            Node::Expression(expression) => expression.evaluate(evaluation, expected),
            node => node.evaluate(evaluation),
        }
    }
}

impl Node {
    fn evaluate(&self, evaluation: &mut dyn Evaluation) -> Result<Json, QueryFailure> {
        match self {
            Node::Literal(value) => Ok(value.clone()),
            Node::Array(items) => {
                let items: Result<Vec<Json>, _> =
                    items.iter().map(|item| item.evaluate(evaluation)).collect();
                items.map(Json::from)
            }
            Node::Object(members) => {
                let mut object = Object::with_capacity(members.len());
                for (name, member) in members {
                    object.insert(name.clone(), member.evaluate(evaluation)?);
                }
                Ok(Json::from(object))
            }
            Node::Expression(expression) => expression.evaluate(evaluation, Expected::Any),
        }
    }

    fn collect<'a>(&'a self, programs: &mut Vec<&'a Program>) {
        match self {
            Node::Literal(_) => {}
            Node::Array(items) => items.iter().for_each(|item| item.collect(programs)),
            Node::Object(members) => members.iter().for_each(|(_, member)| member.collect(programs)),
            Node::Expression(expression) => programs.push(expression.program()),
        }
    }
}

struct Compiler<'a> {
    jsonata: &'a dyn Jsonata,
    field: &'a str,
    sees: Sees,
    misplaced: Vec<Misplaced>,
}

impl Compiler<'_> {
    /// Compiles a value; `below` is its place in the template.
    fn node(&mut self, value: &Json, below: &mut String) -> Node {
        let length = below.len();
        let node = match value {
            Json::Array(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    below.push_str(&format!("[{index}]"));
                    nodes.push(self.node(item, below));
                    below.truncate(length);
                }
                Node::Array(nodes)
            }
            Json::Object(members) => {
                let mut nodes = Vec::with_capacity(members.len());
                for (name, member) in members.iter() {
                    below.push('/');
                    below.push_str(name);
                    nodes.push((name.clone(), self.node(member, below)));
                    below.truncate(length);
                }
                Node::Object(nodes)
            }
            Json::String(text) => match source(text) {
                Some(source) => self.expression(source, below),
                None => Node::Literal(value.clone()),
            },
            scalar => Node::Literal(scalar.clone()),
        };
        shared_if_literal(node, value)
    }

    fn expression(&mut self, source: &str, below: &str) -> Node {
        let field = format!("{}{below}", self.field);
        match Expression::compile(self.jsonata, source, &field, self.sees) {
            Ok(expression) => Node::Expression(expression),
            Err(refusal) => {
                self.misplaced.push(Misplaced { below: below.to_owned(), refusal });
                Node::Literal(Json::Null)
            }
        }
    }
}

/// The value itself in place of a node made of literals only.
fn shared_if_literal(node: Node, value: &Json) -> Node {
    let is_literal = |node: &Node| matches!(node, Node::Literal(_));
    let all = match &node {
        Node::Array(items) => items.iter().all(is_literal),
        Node::Object(members) => members.iter().all(|(_, member)| is_literal(member)),
        _ => false,
    };
    if all { Node::Literal(value.clone()) } else { node }
}
