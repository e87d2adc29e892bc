//! Text to program: what an expression of a state machine may say, and what running it will need.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use asl::diagnostic::Code;
use asl::jsonata::{Program, Refusal};
use jsonata_core::ast::AstNode;
use jsonata_core::parser;
use jsonata_core::value::with_stack;

use crate::children::each_child_mut;
use crate::guards::Guarded;
use crate::limits::Limits;
use crate::member::MemberPath;
use crate::names::{Context, Names};
use crate::pattern;
use crate::quiet;
use crate::syntax;

/// What a program's `code` is.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The whole expression, if it is a path of plain names.
    pub(crate) member_path: Option<MemberPath>,
    /// The tree to evaluate, with bounds put around what cannot be interrupted.
    pub(crate) guarded: Guarded,
    /// What it reads from its surroundings.
    pub(crate) names: Names,
}

/// Compiles the text of one expression.
pub(crate) fn compile(source: &str, limits: &Limits) -> Result<Program, Refusal> {
    let compiled = compile_in(source, Context::None, limits)?;
    let names = compiled.names.clone();
    Ok(Program {
        code: Arc::new(compiled),
        variables: names.variables,
        states: names.states,
        whole_states: names.whole_states,
    })
}

/// Compiles an expression that is evaluated in `context`.
pub(crate) fn compile_in(source: &str, context: Context, limits: &Limits) -> Result<Compiled, Refusal> {
    let mut tree = parse(source, limits).map_err(invalid)?;
    translate_patterns(&mut tree).map_err(invalid)?;
    let names = Names::of(&tree, context)?;
    // The name of a builtin function is no variable's, as far as is known here.
    let member_path = MemberPath::of(&tree).filter(|_| names.builtins.is_empty());
    let guarded = Guarded::new(tree, &names);
    Ok(Compiled { member_path, guarded, names })
}

/// The syntax tree, or jsonata-js's words about the text.
fn parse(source: &str, limits: &Limits) -> Result<AstNode, String> {
    if source.len() > limits.source_bytes {
        return Err(format!("The expression must not be longer than {} bytes", limits.source_bytes));
    }
    let source = syntax::checked(source)?;
    // The parser keeps no state between calls that a panic could leave half changed.
    let parsed = quiet::caught(|| catch_unwind(AssertUnwindSafe(|| parser::parse(&source))));
    match parsed {
        Ok(Ok(tree)) => Ok(tree),
        Ok(Err(failure)) => Err(syntax::message(&failure)),
        Err(_) => Err("The expression cannot be parsed".to_owned()),
    }
}

/// Says the patterns in the tree as the library's engine reads them.
fn translate_patterns(node: &mut AstNode) -> Result<(), String> {
    if let AstNode::Regex { pattern, .. } = node {
        *pattern = pattern::translated(pattern)?;
    }
    let mut result = Ok(());
    each_child_mut(node, &mut |child| {
        if result.is_ok() {
            result = with_stack(|| translate_patterns(child));
        }
    });
    result
}

fn invalid(message: String) -> Refusal {
    Refusal { code: Code::InvalidJsonata, message }
}
