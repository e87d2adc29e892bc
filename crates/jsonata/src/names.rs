//! Which names an expression reads, and which it may not.
//!
//! An expression of a state machine has no context item: where there is none, a bare name, `$`, or a wildcard has
//! nothing to refer to, and AWS refuses it when the state machine is created. Inside the later steps of a path, in
//! predicates, orders and groupings there is one. A function's body has the context of the place where the function is
//! written, not of where it is called.

use std::collections::HashSet;
use std::sync::Arc;

use asl::diagnostic::Code;
use asl::jsonata::Refusal;
use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;

/// What an expression reads from its surroundings: each name once, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Variables that are no builtin functions.
    pub(crate) variables: Vec<Arc<str>>,
    /// Builtin functions: a variable may have the name of one, and then hides it.
    pub(crate) builtins: Vec<Arc<str>>,
    /// Members of `$states`.
    pub(crate) states: Vec<Arc<str>>,
    /// Whether `$states` is used other than by naming a member.
    pub(crate) whole_states: bool,
}

/// Whether `$` may stand for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Nothing: the top level.
    None,
    /// An item.
    Item,
}

impl Names {
    /// Reads the tree of an expression that is evaluated in `context`.
    pub(crate) fn of(tree: &AstNode, context: Context) -> Result<Names, Refusal> {
        let mut walk = Walk { names: Names::default(), bound: vec![HashSet::new()], outermost: context };
        walk.node(tree, context)?;
        Ok(walk.names)
    }
}

/// Whether a function of JSONata or of AWS has this name.
pub(crate) fn is_builtin(name: &str) -> bool {
    arguments_max(name).is_some()
}

/// How many arguments the builtin function `name` takes at most.
pub(crate) fn arguments_max(name: &str) -> Option<usize> {
    let at = BUILTINS.binary_search_by(|builtin| builtin.0.cmp(name)).ok()?;
    Some(BUILTINS[at].1)
}

/// The functions of JSONata 2.0.6 and those that AWS adds, sorted, and how many arguments each takes at most.
const BUILTINS: [(&str, usize); 70] = [
    ("abs", 1),
    ("append", 2),
    ("assert", 2),
    ("average", 1),
    ("base64decode", 1),
    ("base64encode", 1),
    ("boolean", 1),
    ("ceil", 1),
    ("clone", 1),
    ("contains", 2),
    ("count", 1),
    ("decodeUrl", 1),
    ("decodeUrlComponent", 1),
    ("distinct", 1),
    ("each", 2),
    ("encodeUrl", 1),
    ("encodeUrlComponent", 1),
    ("error", 1),
    ("eval", 2),
    ("exists", 1),
    ("filter", 2),
    ("floor", 1),
    ("formatBase", 2),
    ("formatInteger", 2),
    ("formatNumber", 3),
    ("fromMillis", 3),
    ("hash", 2),
    ("join", 2),
    ("keys", 1),
    ("length", 1),
    ("lookup", 2),
    ("lowercase", 1),
    ("map", 2),
    ("match", 3),
    ("max", 1),
    ("merge", 1),
    ("millis", 0),
    ("min", 1),
    ("not", 1),
    ("now", 2),
    ("number", 1),
    ("pad", 3),
    ("parse", 1),
    ("parseInteger", 2),
    ("partition", 2),
    ("power", 2),
    ("random", 1),
    ("range", 3),
    ("reduce", 3),
    ("replace", 4),
    ("reverse", 1),
    ("round", 2),
    ("shuffle", 1),
    ("sift", 2),
    ("single", 2),
    ("sort", 2),
    ("split", 3),
    ("spread", 1),
    ("sqrt", 1),
    ("string", 2),
    ("substring", 3),
    ("substringAfter", 2),
    ("substringBefore", 2),
    ("sum", 1),
    ("toMillis", 2),
    ("trim", 1),
    ("type", 1),
    ("uppercase", 1),
    ("uuid", 0),
    ("zip", usize::MAX),
];

/// The variable that holds a state's surroundings.
const STATES: &str = "states";

struct Walk<'a> {
    names: Names,
    /// What `$$` stands for.
    outermost: Context,
    /// The variables that the expression itself binds, by nested scope.
    bound: Vec<HashSet<&'a str>>,
}

type Walked = Result<(), Refusal>;

impl<'a> Walk<'a> {
    fn node(&mut self, node: &'a AstNode, context: Context) -> Walked {
        with_stack(|| self.node_on_stack(node, context))
    }

    fn node_on_stack(&mut self, node: &'a AstNode, context: Context) -> Walked {
        match node {
            AstNode::ParentVariable(_) if self.outermost == Context::None => {
                Err(unsupported("Reference to '$$' is not supported."))
            }
            AstNode::String(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::ParentVariable(_) => Ok(()),
            AstNode::Parent(_) => {
                // It may go up to `$states` itself.
                self.names.whole_states = true;
                Ok(())
            }
            AstNode::Name(name) => refer(name, context),
            AstNode::Wildcard => refer("*", context),
            AstNode::Descendant => refer("**", context),
            AstNode::Variable(name) if name.is_empty() => refer("$", context),
            AstNode::Variable(name) => {
                self.reads(name);
                Ok(())
            }
            AstNode::Path { .. } | AstNode::Sort { .. } | AstNode::ObjectTransform { .. } => {
                self.scoped(|walk| walk.stream(node, context))
            }
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => self.binding(lhs, rhs, context),
            AstNode::Binary { lhs, rhs, .. } => {
                self.node(lhs, context)?;
                self.node(rhs, context)
            }
            AstNode::Unary { operand, .. } => self.node(operand, context),
            AstNode::Function { name, args, is_builtin } => {
                if *is_builtin {
                    self.reads(name);
                } else {
                    refer(name, context)?;
                }
                self.nodes(args, context)
            }
            AstNode::Call { procedure, args } => {
                self.node(procedure, context)?;
                self.nodes(args, context)
            }
            AstNode::Lambda { params, body, .. } => self.scoped(|walk| {
                walk.bind(params.iter().map(String::as_str));
                walk.node(body, context)
            }),
            AstNode::Array(items) | AstNode::ArrayGroup(items) => self.nodes(items, context),
            AstNode::Block(items) => self.scoped(|walk| walk.nodes(items, context)),
            AstNode::Object(pairs) => self.pairs(pairs, context),
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.node(condition, context)?;
                self.node(then_branch, context)?;
                else_branch.as_ref().map_or(Ok(()), |branch| self.node(branch, context))
            }
            AstNode::FunctionApplication(inner) => self.node(inner, context),
            AstNode::Transform { location, update, delete } => {
                // All three see the object that is transformed.
                self.node(location, Context::Item)?;
                self.node(update, Context::Item)?;
                delete.as_ref().map_or(Ok(()), |delete| self.node(delete, Context::Item))
            }
        }
    }

    fn nodes(&mut self, nodes: &'a [AstNode], context: Context) -> Walked {
        nodes.iter().try_for_each(|node| self.node(node, context))
    }

    fn pairs(&mut self, pairs: &'a [(AstNode, AstNode)], context: Context) -> Walked {
        pairs.iter().try_for_each(|(key, value)| {
            self.node(key, context)?;
            self.node(value, context)
        })
    }

    /// A path, and what orders or groups one: they share the scope of the variables that its steps bind.
    fn stream(&mut self, node: &'a AstNode, context: Context) -> Walked {
        match node {
            AstNode::Path { steps } => self.path(steps, context),
            AstNode::Sort { input, terms } => {
                self.stream(input, context)?;
                terms.iter().try_for_each(|(term, _)| self.node(term, Context::Item))
            }
            AstNode::ObjectTransform { input, pattern } => {
                self.stream(input, context)?;
                self.pairs(pattern, Context::Item)
            }
            other => self.node(other, context),
        }
    }

    fn path(&mut self, steps: &'a [PathStep], context: Context) -> Walked {
        let steps = match steps {
            [first, second, ..] if self.is_states(first) => {
                match &second.node {
                    // A bound step leaves the next one where it was itself: in `$states`.
                    AstNode::Name(member) if second.focus.is_none() => {
                        once(&mut self.names.states, member);
                    }
                    _ => self.names.whole_states = true,
                }
                &steps[1..]
            }
            _ => {
                if let Some(first) = steps.first() {
                    self.stream(&first.node, context)?;
                    self.stages(first)?;
                }
                steps.get(1..).unwrap_or_default()
            }
        };
        steps.iter().try_for_each(|step| {
            self.stream(&step.node, Context::Item)?;
            self.stages(step)
        })
    }

    /// What a step binds, and its predicates.
    fn stages(&mut self, step: &'a PathStep) -> Walked {
        self.bind(step.focus.iter().chain(&step.index_var).map(String::as_str));
        step.stages.iter().try_for_each(|stage| match stage {
            Stage::Filter(filter) => self.node(filter, Context::Item),
            Stage::Index(name) => {
                self.bind([name.as_str()]);
                Ok(())
            }
            Stage::KeepArray => Ok(()),
        })
    }

    /// Whether a step is just `$states`, so that the next one may name a member.
    fn is_states(&self, step: &PathStep) -> bool {
        matches!(&step.node, AstNode::Variable(name) if name == STATES)
            && step.stages.is_empty()
            && step.focus.is_none()
            && step.index_var.is_none()
            && !self.is_bound(STATES)
    }

    fn binding(&mut self, target: &'a AstNode, value: &'a AstNode, context: Context) -> Walked {
        let AstNode::Variable(name) = target else {
            self.node(target, context)?;
            return self.node(value, context);
        };
        if name == STATES {
            return Err(unsupported("Variable '$states' is reserved and cannot be assigned."));
        }
        // A function may call itself by the name that it gets; anything else does not see it yet.
        if matches!(value, AstNode::Lambda { .. }) {
            self.bind([name.as_str()]);
            return self.node(value, context);
        }
        self.node(value, context)?;
        self.bind([name.as_str()]);
        Ok(())
    }

    fn reads(&mut self, name: &str) {
        if self.is_bound(name) {
            return;
        }
        if name == STATES {
            self.names.whole_states = true;
        } else if is_builtin(name) {
            once(&mut self.names.builtins, name);
        } else {
            once(&mut self.names.variables, name);
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|scope| scope.contains(name))
    }

    fn bind(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.bound.last_mut().expect("the outermost scope is never left").extend(names);
    }

    fn scoped(&mut self, walk: impl FnOnce(&mut Self) -> Walked) -> Walked {
        self.bound.push(HashSet::new());
        let walked = walk(self);
        self.bound.pop();
        walked
    }
}

fn once(names: &mut Vec<Arc<str>>, name: &str) {
    if !names.iter().any(|known| **known == *name) {
        names.push(name.into());
    }
}

fn refer(name: &str, context: Context) -> Walked {
    match context {
        Context::Item => Ok(()),
        Context::None => {
            Err(unsupported(&format!("Reference to '{name}' at the top level is not supported.")))
        }
    }
}

fn unsupported(message: &str) -> Refusal {
    Refusal { code: Code::UnsupportedJsonata, message: message.to_owned() }
}
