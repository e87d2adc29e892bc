//! The transform operator, `|location|update,delete|`.
//!
//! The library changes every object that equals a located one, wherever it stands. Here the input is copied, so that
//! each object has its own place in memory, and a located object is known by that.

use std::collections::HashMap;
use std::rc::Rc;

use indexmap::IndexMap;
use jsonata_core::ast::{AstNode, BinaryOp, PathStep};
use jsonata_core::evaluator::{EvaluatorError, HostFnResult};
use jsonata_core::value::{JMap, JValue, with_stack};

use super::{Moment, weight};
use crate::errors::coded;
use crate::values;

/// The function that a transform is, in terms of the functions below:
///
/// ```text
///   function($object)<(oa):o>{(
///       $copy := $copied($object);  $found := $copy.(location);  $changes := $found.{'update': …, 'delete': …};
///       $transformed($copy, $found, $changes) )}
/// ```
pub(crate) fn function(location: AstNode, update: AstNode, delete: Option<AstNode>) -> AstNode {
    let variable = |name: &str| AstNode::Variable(name.to_owned());
    let call =
        |name: &str, args: Vec<AstNode>| AstNode::Function { name: name.to_owned(), args, is_builtin: true };
    let assign = |name: &str, value: AstNode| AstNode::Binary {
        op: BinaryOp::ColonEqual,
        lhs: Box::new(variable(name)),
        rhs: Box::new(value),
    };
    let step = |of: &str, node: AstNode| AstNode::Path {
        steps: vec![PathStep::new(variable(of)), PathStep::new(node)],
    };
    let location = AstNode::FunctionApplication(Box::new(AstNode::Block(vec![location])));
    let mut changes = vec![(AstNode::String(UPDATE.to_owned()), update)];
    changes.extend(delete.map(|delete| (AstNode::String(DELETE.to_owned()), delete)));
    let body = vec![
        assign(COPY, call(COPIED, vec![variable(OBJECT)])),
        assign(FOUND, step(COPY, location)),
        assign(CHANGES, step(FOUND, AstNode::Object(changes))),
        call(TRANSFORMED, vec![variable(COPY), variable(FOUND), variable(CHANGES)]),
    ];
    AstNode::Lambda {
        params: vec![OBJECT.to_owned()],
        body: Box::new(AstNode::Block(body)),
        signature: Some("<(oa):o>".to_owned()),
        thunk: false,
    }
}

/// Names that no expression can spell.
const OBJECT: &str = "transform object";
const COPY: &str = "transform copy";
const FOUND: &str = "transform found";
const CHANGES: &str = "transform changes";
pub(super) const COPIED: &str = "our copied";
pub(super) const TRANSFORMED: &str = "our transformed";

const UPDATE: &str = "update";
const DELETE: &str = "delete";

/// A copy of the argument that shares no object with anything, nor within itself.
pub(super) fn copied(arguments: &[JValue], moment: &Moment) -> HostFnResult {
    Ok(copy(&weight::weighed(arguments, moment)?))
}

fn copy(value: &JValue) -> JValue {
    match value {
        JValue::Array(items) => {
            with_stack(|| JValue::Array(items.with_items(items.iter().map(copy).collect())))
        }
        JValue::Object(members) => with_stack(|| {
            JValue::object(members.iter().map(|(name, member)| (name.clone(), copy(member))).collect())
        }),
        other => other.clone(),
    }
}

/// The copy with the changes made to what was found in it.
pub(super) fn transformed(arguments: &[JValue], _: &Moment) -> HostFnResult {
    let [copy, found, changes] = arguments else { return Ok(JValue::Undefined) };
    let mut by_place = HashMap::new();
    for (object, change) in items(found).iter().zip(items(changes)) {
        let change = Change::of(change)?;
        if let JValue::Object(members) = object {
            by_place.insert(Rc::as_ptr(members), change);
        }
    }
    Ok(changed(copy, &by_place))
}

struct Change {
    update: Option<Rc<JMap>>,
    delete: Vec<Rc<str>>,
}

impl Change {
    fn of(change: &JValue) -> Result<Change, EvaluatorError> {
        let update = match change.get(UPDATE) {
            None | Some(JValue::Undefined) => None,
            Some(JValue::Object(members)) => Some(members.clone()),
            Some(other) => {
                let words = "The insert/update clause of the transform expression must evaluate to an object";
                return Err(coded("T2011", format_args!("{words}: {}", values::shown(other))));
            }
        };
        let delete = match change.get(DELETE) {
            None | Some(JValue::Undefined) => Vec::new(),
            Some(names) => {
                let texts: Option<Vec<Rc<str>>> =
                    items(names).iter().map(|name| name.as_rc_str().cloned()).collect();
                texts.ok_or_else(|| {
                    let words = "The delete clause of the transform expression must evaluate to a string or array of \
                                 strings";
                    coded("T2012", format_args!("{words}: {}", values::shown(names)))
                })?
            }
        };
        Ok(Change { update, delete })
    }
}

fn changed(value: &JValue, by_place: &HashMap<*const JMap, Change>) -> JValue {
    match value {
        JValue::Array(items) => with_stack(|| {
            JValue::Array(items.with_items(items.iter().map(|item| changed(item, by_place)).collect()))
        }),
        JValue::Object(members) => with_stack(|| {
            let mut object: IndexMap<String, JValue> =
                members.iter().map(|(name, member)| (name.clone(), changed(member, by_place))).collect();
            if let Some(change) = by_place.get(&Rc::as_ptr(members)) {
                for (name, member) in change.update.iter().flat_map(|update| update.iter()) {
                    object.insert(name.clone(), member.clone());
                }
                for name in &change.delete {
                    object.shift_remove(&**name);
                }
            }
            JValue::object(object)
        }),
        other => other.clone(),
    }
}

/// One value is a list of one, and nothing is none.
fn items(value: &JValue) -> &[JValue] {
    match value {
        JValue::Undefined => &[],
        JValue::Array(items) => items,
        other => std::slice::from_ref(other),
    }
}
