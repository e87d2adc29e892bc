//! Bounds around what the evaluator cannot be stopped in.
//!
//! It looks at the clock and at the meter between its steps. Within one step it may walk a whole value, and values
//! share their parts: forty turns of `{'a': $x, 'b': $x}` make a small value with a trillion leaves. So the tree is
//! edited when it is compiled: an operand that such a step walks as a whole is weighed first; one in which it goes
//! through arrays in arrays has those counted; and the builtin functions that make much out of little are ours
//! ([`functions`]).
//!
//! A path is the other thing that multiplies: it puts what a step gives for all of its items into one list in one go.
//! Why that list is bounded, step by step from the front: what a path begins with is weighed, unless it is a part of the
//! surroundings' values, which are trees within a payload's bound. A name gives different parts of its items, so that all
//! lists of names together hold no more than the weight before them. Any other step either gives different parts as well
//! ([`own`]), or each thing that it gives passes a counter of this path before it is joined to the others; so does what a
//! predicate takes more than once. `*` and `**` look at a whole that is weighed before them. A path with bindings makes
//! its items one by one, and all that it makes for one of them passes the counter too. What is then new in memory, and
//! not shared, the meter has counted when it was made.
//!
//! What is certainly a part of the surroundings' values is spared. The edits change no value; they
//! only fail where the bounds are met.
//!
//! Copying the evaluator and giving every loop a check would be the thorough way, and thirteen thousand lines of
//! somebody else's code to keep.

mod own;
mod parts;

use std::cell::{Cell, RefCell};

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;

use self::own::{Own, is_bare};
use self::parts::Parts;
use crate::children::{each_child, each_child_mut};

use crate::functions::{self, Definition, Private};
use crate::names::Names;

/// A tree ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// The expression, behind the definitions that it uses.
    tree: AstNode,
    /// Those definitions: none of them is a variable's name in most surroundings.
    definitions: Vec<&'static Definition>,
    /// The Rust functions that it calls.
    pub(crate) functions: Vec<&'static Private>,
    /// Whether evaluating it can make functions that hold each other in a long chain.
    pub(crate) chains_functions: bool,
}

impl Guarded {
    /// Puts the bounds around `tree`.
    pub(crate) fn new(mut tree: AstNode, names: &Names) -> Guarded {
        let has_tuples = has_tuples(&tree);
        let own = Own::of(&tree);
        Looks {
            parts: Parts::of(&tree),
            own,
            shares: shares(&tree),
            has_tuples,
            counters_made: Cell::new(0),
            pending: RefCell::default(),
        }
        .put(&mut tree, true);
        // The library takes the bindings out of the whole result, wherever it may hold itself.
        if has_tuples {
            weigh_unless_scalar(&mut tree);
        }
        let otherwise = functions::look_at_arguments(&mut tree);
        let definitions: Vec<&'static Definition> = names
            .builtins
            .iter()
            .filter(|name| otherwise.contains(&***name))
            .filter_map(|name| functions::definition(name))
            .collect();
        // Our definitions make functions too, but none that holds another.
        let chains_functions = chains_functions(&tree);
        let tree = behind(&definitions, tree);
        let functions = functions::called(&tree);
        Guarded { tree, definitions, functions, chains_functions }
    }

    /// The tree for surroundings in which `is_variable` says what names variables have.
    pub(crate) fn tree(&self, is_variable: impl Fn(&str) -> bool) -> std::borrow::Cow<'_, AstNode> {
        if !self.definitions.iter().any(|definition| is_variable(definition.name)) {
            return std::borrow::Cow::Borrowed(&self.tree);
        }
        let AstNode::Block(parts) = &self.tree else { unreachable!("definitions stand in a block") };
        let expression = parts.last().expect("the expression is behind its definitions").clone();
        let left: Vec<_> =
            self.definitions.iter().copied().filter(|definition| !is_variable(definition.name)).collect();
        std::borrow::Cow::Owned(behind(&left, expression))
    }
}

/// The expression in one block with the definitions before it.
fn behind(definitions: &[&Definition], expression: AstNode) -> AstNode {
    if definitions.is_empty() {
        return expression;
    }
    let mut parts: Vec<AstNode> =
        definitions.iter().flat_map(|definition| definition.assignments()).collect();
    parts.push(expression);
    AstNode::Block(parts)
}

/// Whether the expression can use a value twice in the next value.
fn shares(tree: &AstNode) -> bool {
    let mut found = matches!(
        tree,
        AstNode::Lambda { .. }
            | AstNode::Placeholder
            | AstNode::ObjectTransform { .. }
            | AstNode::Binary { op: BinaryOp::ColonEqual, .. }
    ) || is_tuple_path(tree);
    each_child(tree, &mut |child| found = found || with_stack(|| shares(child)));
    found
}

/// Whether a path in the tree carries bindings along.
fn has_tuples(tree: &AstNode) -> bool {
    let mut found = is_tuple_path(tree);
    each_child(tree, &mut |child| found = found || with_stack(|| has_tuples(child)));
    found
}

fn is_tuple_path(node: &AstNode) -> bool {
    let carries = |step: &PathStep| {
        step.is_tuple || step.inner_tuple || step.focus.is_some() || step.index_var.is_some()
    };
    matches!(node, AstNode::Path { steps } if steps.iter().any(carries))
}

/// Whether evaluating the tree can make functions that hold each other in a long chain: when a function makes functions,
/// or when the text itself makes many.
fn chains_functions(tree: &AstNode) -> bool {
    let mut made = 0;
    makes_nested_functions(tree, false, &mut made) || made > FUNCTIONS_MAX
}

/// So many functions in a chain fit into any stack.
const FUNCTIONS_MAX: usize = 64;

fn makes_nested_functions(node: &AstNode, inside: bool, made: &mut usize) -> bool {
    let makes = matches!(
        node,
        AstNode::Lambda { .. } | AstNode::Placeholder | AstNode::Binary { op: BinaryOp::ChainPipe, .. }
    );
    *made += usize::from(makes);
    let mut found = makes && inside;
    let inside = inside || matches!(node, AstNode::Lambda { .. });
    each_child(node, &mut |child| {
        found = found || with_stack(|| makes_nested_functions(child, inside, made))
    });
    found
}

/// The edit that has operands looked at.
struct Looks {
    parts: Parts,
    own: Own,
    shares: bool,
    has_tuples: bool,
    counters_made: Cell<usize>,
    /// Counters that the outermost node around has to set up.
    pending: RefCell<Vec<String>>,
}

impl Looks {
    /// Edits what is below `node`, then `node` itself. `outermost` is false for what a path, an order or a
    /// grouping begins with: that belongs to what follows it.
    fn put(&self, node: &mut AstNode, outermost: bool) {
        let is_stream =
            matches!(node, AstNode::Path { .. } | AstNode::Sort { .. } | AstNode::ObjectTransform { .. });
        let pending_outside = outermost.then(|| self.pending.take());
        let mut first = true;
        each_child_mut(node, &mut |child| {
            // That is the first child.
            let is_input = is_stream && std::mem::take(&mut first);
            with_stack(|| self.put(child, !is_input));
        });
        match node {
            // Comparing with a scalar looks at one value only.
            AstNode::Binary { op: BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In, lhs, rhs }
                if !is_scalar(lhs) && !is_scalar(rhs) =>
            {
                self.weigh(lhs);
                self.weigh(rhs);
            }
            AstNode::Binary { op: BinaryOp::Concatenate, lhs, rhs } => {
                self.weigh(lhs);
                self.weigh(rhs);
            }
            AstNode::Binary { op: BinaryOp::And | BinaryOp::Or, lhs, rhs } => {
                self.count(lhs);
                self.count(rhs);
            }
            AstNode::Binary { op: BinaryOp::ChainPipe, rhs, .. } => {
                // What is piped goes before the test.
                if let AstNode::Function { name, args, .. } = &mut **rhs
                    && let ("filter" | "single", [test]) = (name.as_str(), args.as_mut_slice())
                {
                    self.parts.test(test);
                }
            }
            AstNode::Conditional { condition, .. } => self.count(condition),
            // A key that is no string is shown in the error.
            AstNode::Object(pairs) => pairs.iter_mut().for_each(|(key, _)| self.weigh(key)),
            AstNode::ObjectTransform { pattern, .. } => pattern.iter_mut().for_each(|(key, _)| {
                self.weigh(key);
                // The groups of what carries bindings are put together item by item, each time anew.
                if self.has_tuples {
                    let counter = self.counter();
                    counted_by(functions::GROUPED, key, &counter, &[]);
                }
            }),
            AstNode::Array(items) => items.iter_mut().skip(ITEMS_AT_ONCE).for_each(interruptible),
            AstNode::Path { steps } => self.steps(steps),
            AstNode::Function { name, args, .. } => self.call(name, args),
            AstNode::Transform { location, update, delete } => {
                let taken = |part: &mut AstNode| std::mem::replace(part, AstNode::Undefined);
                *node = functions::transform(
                    taken(location),
                    taken(update),
                    delete.as_mut().map(|delete| taken(delete)),
                );
            }
            _ => {}
        }
        if let Some(pending_outside) = pending_outside {
            self.weigh_head(node);
            set_up(node, self.pending.replace(pending_outside));
        }
    }

    /// `$string(x)` and its like, whose argument is walked, and functions whose callback's result is taken for true or
    /// false.
    fn call(&self, name: &str, arguments: &mut [AstNode]) {
        match (name, arguments) {
            ("lookup", [object, _]) => self.list(object),
            ("zip", arguments) => {
                let count = AstNode::Number(arguments.len() as f64);
                for argument in
                    arguments.iter_mut().filter(|argument| !matches!(argument, AstNode::Placeholder))
                {
                    call_with(functions::ZIPPED, argument, vec![count.clone()]);
                }
            }
            ("filter" | "single" | "sift", [_, test]) | ("sift", [test]) => self.parts.test(test),
            _ => {}
        }
    }

    fn steps(&self, steps: &mut Vec<PathStep>) {
        for stage in steps.iter_mut().flat_map(|step| &mut step.stages) {
            if let Stage::Filter(filter) = stage
                && !self.own.selects_once(filter)
            {
                counted_by(functions::SELECTED, filter, &self.counter(), &[AstNode::Variable(String::new())]);
            }
        }
        // Bindings multiply: each step runs for each combination of those before it, and makes an object of each item.
        let has_bindings = steps.iter().any(|step| step.focus.is_some() || step.index_var.is_some());
        let is_tuple = steps.iter().any(|step| step.is_tuple || step.inner_tuple);
        if has_bindings || is_tuple {
            for step in steps.iter_mut().skip(1) {
                checked(step);
                self.gather(functions::ROW, step, &[]);
            }
        }
        // A path that carries bindings along cannot be cut, and need not be: its steps make one item after the other.
        if is_tuple {
            return;
        }
        if !has_bindings {
            self.gather_steps(steps);
        }
        // `f(x)[p].a` becomes `weighed(f(x)[p]).a`: what has predicates of its own cannot be weighed before them.
        if let Some(first) = steps.first_mut()
            && self.shares
            && has_own_stages(first)
            && !self.parts.is_part(&first.node)
        {
            first.stages.iter_mut().for_each(weigh_item_of);
            self.cut(steps, 1);
        }
        // `a.b.**` becomes `weighed(a.b).**`.
        let wild = |step: &PathStep| matches!(step.node, AstNode::Descendant | AstNode::Wildcard);
        if let Some(at) = steps.iter().position(wild) {
            self.cut(steps, at);
        }
    }

    /// Has what the steps give for all items together counted, unless it is made of different parts of those.
    fn gather_steps(&self, steps: &mut [PathStep]) {
        for at in 1..steps.len() {
            let (before, behind) = steps.split_at_mut(at + 1);
            let step = &mut before[at];
            if self.own.gives_parts(&step.node) {
                continue;
            }
            // What the names behind do not reach does not count, if nothing comes in between.
            let names: Vec<AstNode> = behind
                .iter()
                .take_while(|_| step.stages.is_empty())
                .map_while(|next| match &next.node {
                    AstNode::Name(name) if is_bare(next) => Some(AstNode::String(name.clone())),
                    _ => None,
                })
                .collect();
            self.gather(functions::GATHERED, step, &names);
        }
    }

    /// Has `function` count what a step gives for each item.
    fn gather(&self, function: &str, step: &mut PathStep, more: &[AstNode]) {
        // What a parent is looked for in, or from, stays what it is.
        if !step.inner_tuple {
            let counter = self.counter();
            self.gather_node(function, &mut step.node, &counter, more, step.ancestor_label.is_some());
        }
    }

    fn gather_node(
        &self,
        function: &str,
        node: &mut AstNode,
        counter: &AstNode,
        more: &[AstNode],
        has_label: bool,
    ) {
        match node {
            // These are something else as an argument: what is in them is counted.
            AstNode::FunctionApplication(inner) => counted_by(function, inner, counter, more),
            AstNode::Array(items) | AstNode::ArrayGroup(items) => with_stack(|| {
                items.iter_mut().for_each(|item| self.gather_node(function, item, counter, &[], has_label));
            }),
            AstNode::Sort { .. } | AstNode::Wildcard | AstNode::Descendant => {}
            AstNode::Name(_) if has_label => {}
            // A text in a path is a name. What a function of ours gives back is what it was given.
            other if is_scalar(other) && !matches!(other, AstNode::Function { .. }) => {}
            other => counted_by(function, other, counter, more),
        }
    }

    /// A counter that is new each time that the outermost node around is evaluated.
    fn counter(&self) -> AstNode {
        let made = self.counters_made.get();
        self.counters_made.set(made + 1);
        let counter = format!("{COUNTER} {made}");
        self.pending.borrow_mut().push(counter.clone());
        AstNode::Variable(counter)
    }

    /// Has what the steps before `at` give weighed.
    fn cut(&self, steps: &mut Vec<PathStep>, at: usize) {
        if at == 0 || at >= steps.len() {
            return;
        }
        let rest = steps.split_off(at);
        // `[]` anywhere in a path keeps the whole path's result an array.
        let keeps_array = steps.iter().any(|step| step.stages.contains(&Stage::KeepArray));
        let mut before = AstNode::Path { steps: std::mem::take(steps) };
        if self.parts.is_part(&before) {
            let AstNode::Path { steps: before } = before else { unreachable!("it was made a path above") };
            *steps = before;
        } else {
            call(functions::LISTED, &mut before);
            let mut weighed = PathStep::new(before);
            weighed.stages.extend(keeps_array.then_some(Stage::KeepArray));
            steps.push(weighed);
        }
        steps.extend(rest);
    }

    /// A step by name goes through arrays in arrays, the next step through those in what that found: the head of a path
    /// is weighed.
    ///
    /// A variable stays the head, because it makes its path absolute: it is weighed before the whole path.
    fn weigh_head(&self, node: &mut AstNode) {
        let Some(head) = head(node) else { return };
        let look = match head {
            AstNode::Variable(_) if self.shares && !self.parts.is_part(head) => {
                let mut look = head.clone();
                call(functions::LISTED, &mut look);
                look
            }
            AstNode::Variable(_) => return,
            other => {
                self.weigh_in(other);
                return;
            }
        };
        let path = std::mem::replace(node, AstNode::Undefined);
        *node = AstNode::Block(vec![look, path]);
    }

    /// As [`Looks::weigh`]; but an array stays the constructor that it is, with its items weighed.
    fn weigh_in(&self, node: &mut AstNode) {
        match node {
            AstNode::Array(items) if items.iter().filter(|item| !is_scalar(item)).count() > 1 => {
                let counter = self.counter();
                items
                    .iter_mut()
                    .for_each(|item| self.gather_node(functions::GATHERED, item, &counter, &[], false));
            }
            AstNode::Array(items) => items.iter_mut().for_each(|item| self.weigh_in(item)),
            AstNode::Binary { op: BinaryOp::Range, .. } => {}
            other => self.list(other),
        }
    }

    /// Has `node` weighed where it is evaluated, unless it is certainly light.
    fn weigh(&self, node: &mut AstNode) {
        if !self.parts.is_part(node) {
            weigh_unless_scalar(node);
        }
    }

    /// As [`Looks::weigh`], where lists are made of the value's parts.
    fn list(&self, node: &mut AstNode) {
        if !self.parts.is_part(node) && !is_scalar(node) {
            call(functions::LISTED, node);
        }
    }

    /// Has the arrays in `node` counted where it is evaluated, unless they are certainly few.
    fn count(&self, node: &mut AstNode) {
        if self.shares && !is_scalar(node) && !self.parts.is_part(node) {
            call(functions::COUNTED, node);
        }
    }
}

/// Whether a step makes something that its predicates, or `[]`, see before a path does.
fn has_own_stages(step: &PathStep) -> bool {
    !step.stages.is_empty() && !matches!(step.node, AstNode::Variable(_) | AstNode::Name(_))
}

/// Has each item weighed that a predicate tests.
fn weigh_item_of(stage: &mut Stage) {
    if let Stage::Filter(filter) = stage
        && !is_scalar_literal(filter)
    {
        let mut item = AstNode::Variable(String::new());
        call(functions::LISTED, &mut item);
        let test = std::mem::replace(&mut **filter, AstNode::Undefined);
        **filter = AstNode::Block(vec![item, test]);
    }
}

/// An index, or a text or a truth that tests nothing.
fn is_scalar_literal(node: &AstNode) -> bool {
    match node {
        AstNode::Unary { operand, .. } => is_scalar_literal(operand),
        AstNode::Number(_) | AstNode::String(_) | AstNode::Boolean(_) | AstNode::Null | AstNode::Array(_) => {
            true
        }
        _ => false,
    }
}

/// Has a step evaluated as more than a look-up: that is where the evaluator looks at the clock and at the meter.
fn checked(step: &mut PathStep) {
    let looked_up = std::mem::replace(&mut step.node, AstNode::Undefined);
    step.node = match looked_up {
        AstNode::Variable(_) => AstNode::Block(vec![looked_up]),
        AstNode::Name(_) if step.ancestor_label.is_none() => {
            let path = AstNode::Path { steps: vec![PathStep::new(looked_up)] };
            AstNode::FunctionApplication(Box::new(AstNode::Block(vec![path])))
        }
        other => other,
    };
}

/// What a path of more than a name begins with, also under orders and groupings.
fn head(node: &mut AstNode) -> Option<&mut AstNode> {
    match node {
        AstNode::Path { steps } => match steps.as_mut_slice() {
            // A block that a parent is looked for in stays one.
            [first, ..] if first.inner_tuple => None,
            [only] if only.stages.is_empty() => None,
            [first, ..] if has_own_stages(first) => None,
            [first, ..] => match &mut first.node {
                inner @ (AstNode::Path { .. } | AstNode::Sort { .. } | AstNode::ObjectTransform { .. }) => {
                    head(inner)
                }
                AstNode::Name(_) | AstNode::Wildcard | AstNode::Descendant | AstNode::Parent(_) => None,
                other => Some(other),
            },
            _ => None,
        },
        AstNode::Sort { input, .. } | AstNode::ObjectTransform { input, .. } => match &mut **input {
            inner @ (AstNode::Path { .. } | AstNode::Sort { .. } | AstNode::ObjectTransform { .. }) => {
                head(inner)
            }
            other => Some(other),
        },
        _ => None,
    }
}

/// Has `node` weighed where it is evaluated, unless it is certainly light.
pub(crate) fn weigh_unless_scalar(node: &mut AstNode) {
    if !is_scalar(node) {
        weigh(node);
    }
}

/// Has `node` weighed where it is evaluated.
pub(crate) fn weigh(node: &mut AstNode) {
    call(functions::WEIGHED, node);
}

/// Makes a call of a function of ours of `node`.
fn call(function: &str, node: &mut AstNode) {
    call_with(function, node, Vec::new());
}

/// Makes a call of a function of ours of `node`, with more arguments.
fn call_with(function: &str, node: &mut AstNode, more: Vec<AstNode>) {
    let mut args = vec![std::mem::replace(node, AstNode::Undefined)];
    args.extend(more);
    *node = AstNode::Function { name: function.to_owned(), args, is_builtin: true };
}

/// Has `function` called with the value of `node`, a counter, and `more`.
fn counted_by(function: &str, node: &mut AstNode, counter: &AstNode, more: &[AstNode]) {
    call_with(function, node, std::iter::once(counter).chain(more).cloned().collect());
}

/// Puts new counters before `node`, in a scope of their own: what runs inside what is counted has others.
fn set_up(node: &mut AstNode, counters: Vec<String>) {
    if counters.is_empty() {
        return;
    }
    let begun =
        || AstNode::Function { name: functions::BEGUN.to_owned(), args: Vec::new(), is_builtin: true };
    let mut parts: Vec<AstNode> = counters
        .into_iter()
        .map(|counter| AstNode::Binary {
            op: BinaryOp::ColonEqual,
            lhs: Box::new(AstNode::Variable(counter)),
            rhs: Box::new(begun()),
        })
        .collect();
    parts.push(std::mem::replace(node, AstNode::Undefined));
    *node = AstNode::Block(parts);
}

/// What the variables of counters are called; no expression can spell it.
const COUNTER: &str = "our count";

/// So many items of an array are put into it without a look at the meter: plain variables have none of their own.
const ITEMS_AT_ONCE: usize = 4;

/// Has a plain variable or name evaluated where the evaluator looks at the clock and at the meter.
fn interruptible(node: &mut AstNode) {
    if let AstNode::Variable(_) | AstNode::Name(_) = node {
        let plain = std::mem::replace(node, AstNode::Undefined);
        *node = AstNode::Block(vec![plain]);
    }
}

/// Whether the value is certainly a string, a number, a boolean or null.
pub(crate) fn is_scalar(node: &AstNode) -> bool {
    match node {
        AstNode::String(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Unary { .. } => true,
        // Looked at already.
        AstNode::Function { name, .. } => name.starts_with("our "),
        AstNode::Binary { op, .. } => !matches!(
            op,
            BinaryOp::ColonEqual
                | BinaryOp::ChainPipe
                | BinaryOp::Range
                | BinaryOp::FocusBind
                | BinaryOp::IndexBind
                | BinaryOp::Coalesce
                | BinaryOp::Default
        ),
        _ => false,
    }
}
