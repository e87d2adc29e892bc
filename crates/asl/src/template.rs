//! Payload templates: `Parameters`, `ResultSelector`, `ItemSelector`, `Assign` and their like in JSONPath mode.
//!
//! A member whose name ends in `.$` holds a path or an intrinsic call and gives the value under the name without that
//! ending; everything else is itself, at any depth. A template is compiled once: what holds no such member becomes one
//! shared literal, so that evaluating it copies nothing.
//!
//! It refuses to know which state it belongs to and which fields AWS allows it in.

use std::fmt;
use std::sync::Arc;

use crate::intrinsic::{Call, Entropy, Failure};
use crate::json::{Json, Object};
use crate::path::{Path, PathMiss, Scope};

/// A compiled payload template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Literal(Json),
    Array(Vec<Node>),
    Object(Vec<(Arc<str>, Node)>),
    Path { field: Arc<str>, path: Path },
    Call(Call),
}

/// Something wrong in a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The place of the object that holds the member, below the location given to [`Template::parse`].
    pub location: String,
    /// What is wrong, in AWS's words where it has some.
    pub message: String,
}

/// Why a template gave no value. The text is the cause that AWS gives, without the state's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateFailure {
    /// A member's path names nothing: `States.Runtime`.
    Path(String),
    /// A call failed, under its own error name.
    Call(Failure),
}

impl TemplateFailure {
    /// The error name: `States.Runtime` or `States.IntrinsicFailure`.
    pub fn error(&self) -> &'static str {
        match self {
            TemplateFailure::Path(_) => "States.Runtime",
            TemplateFailure::Call(failure) => failure.error(),
        }
    }

    /// The cause, without the state's prefix.
    pub fn cause(&self) -> &str {
        match self {
            TemplateFailure::Path(cause) => cause,
            TemplateFailure::Call(failure) => failure.cause(),
        }
    }
}

impl fmt::Display for TemplateFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.cause())
    }
}

impl std::error::Error for TemplateFailure {}

/// The ending of a name whose value is an expression.
const EXPRESSION: &str = ".$";

impl Template {
    /// Compiles `template`; `location` is the place of the field in the definition, such as `/States/S/Parameters`.
    /// All faults are returned, in the order of the text.
    pub fn parse(template: &Json, location: &str) -> Result<Template, Vec<TemplateError>> {
        let mut errors = Vec::new();
        let root = node(template, location, &mut errors);
        if errors.is_empty() { Ok(Template { root }) } else { Err(errors) }
    }

    /// The value, if the template holds no expression at all.
    pub fn literal(&self) -> Option<&Json> {
        match &self.root {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Every path in the template, also those among the arguments of calls.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.root.collect_paths(&mut paths);
        paths
    }

    /// The template's value in `scope`.
    pub fn evaluate(&self, scope: &Scope, entropy: &mut dyn Entropy) -> Result<Json, TemplateFailure> {
        self.root.evaluate(scope, entropy)
    }
}

impl Node {
    fn evaluate(&self, scope: &Scope, entropy: &mut dyn Entropy) -> Result<Json, TemplateFailure> {
        match self {
            Node::Literal(value) => Ok(value.clone()),
            Node::Array(items) => {
                let items: Result<Vec<Json>, _> =
                    items.iter().map(|item| item.evaluate(scope, entropy)).collect();
                items.map(Json::from)
            }
            Node::Object(members) => {
                let mut object = Object::with_capacity(members.len());
                for (name, member) in members {
                    object.insert(name.clone(), member.evaluate(scope, entropy)?);
                }
                Ok(Json::from(object))
            }
            Node::Path { field, path } => {
                path.select(scope).map_err(|miss| missing(field, path, scope, &miss))
            }
            Node::Call(call) => call.evaluate(scope, entropy).map_err(TemplateFailure::Call),
        }
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        match self {
            Node::Literal(_) => {}
            Node::Array(items) => items.iter().for_each(|item| item.collect_paths(paths)),
            Node::Object(members) => members.iter().for_each(|(_, member)| member.collect_paths(paths)),
            Node::Path { path, .. } => paths.push(path),
            Node::Call(call) => paths.extend(call.paths()),
        }
    }
}

/// The cause when the path in `field` names nothing; also for fields outside templates, such as `CausePath`. A path that
/// does too much is not one that names nothing.
pub fn missing(field: &str, path: &Path, scope: &Scope, miss: &PathMiss) -> TemplateFailure {
    if *miss == PathMiss::TooMuchWork {
        return TemplateFailure::Path(miss.cause(path));
    }
    TemplateFailure::Path(format!(
        "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{}'",
        scope.shown(path)
    ))
}

fn node(template: &Json, location: &str, errors: &mut Vec<TemplateError>) -> Node {
    match template {
        Json::Array(items) => {
            let items: Vec<Node> = items
                .iter()
                .enumerate()
                .map(|(index, item)| node(item, &format!("{location}[{index}]"), errors))
                .collect();
            shared_if_literal(Node::Array(items), template)
        }
        Json::Object(members) => {
            let members =
                members.iter().map(|(name, value)| member(name, value, members, location, errors)).collect();
            shared_if_literal(Node::Object(members), template)
        }
        scalar => Node::Literal(scalar.clone()),
    }
}

/// The template's own value in place of a node made of literals only.
fn shared_if_literal(node: Node, template: &Json) -> Node {
    let is_literal = |node: &Node| matches!(node, Node::Literal(_));
    let all = match &node {
        Node::Array(items) => items.iter().all(is_literal),
        Node::Object(members) => members.iter().all(|(_, member)| is_literal(member)),
        _ => false,
    };
    if all { Node::Literal(template.clone()) } else { node }
}

fn member(
    name: &Arc<str>,
    value: &Json,
    siblings: &Object,
    location: &str,
    errors: &mut Vec<TemplateError>,
) -> (Arc<str>, Node) {
    let Some(stripped) = name.strip_suffix(EXPRESSION) else {
        return (name.clone(), node(value, &format!("{location}/{name}"), errors));
    };
    let mut refuse = |message: String| errors.push(TemplateError { location: location.to_owned(), message });
    if siblings.contains_key(stripped) {
        refuse(format!(
            "The fields '{stripped}' and '{name}' cannot be used together: both give the value of '{stripped}'"
        ));
    }
    match expression(name, value) {
        Some(expression) => (stripped.into(), expression),
        None => {
            refuse(format!(
                "The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
            ));
            (stripped.into(), Node::Literal(Json::Null))
        }
    }
}

fn expression(field: &Arc<str>, value: &Json) -> Option<Node> {
    let text = value.as_str()?;
    if text.trim_start().starts_with('$') {
        return Some(Node::Path { field: field.clone(), path: Path::parse(text).ok()? });
    }
    Call::parse(text).ok().map(Node::Call)
}

#[cfg(test)]
mod tests;
