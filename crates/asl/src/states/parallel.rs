//! Parallel: runs branches side by side on one input; the result is the array of their outputs.

use crate::fields::{Fields, ResultPath};
use crate::json::Json;
use crate::machine::{ContainerId, Selection, Transition};
use crate::parse::{Names, Parser};
use crate::retry::{Catcher, Retrier, catchers, retriers};
use crate::template::Template;

/// A Parallel state.
#[derive(Debug)]
pub struct Parallel {
    /// `InputPath`.
    pub input: Selection,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `Branches`, in order.
    pub branches: Vec<ContainerId>,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `Assign`.
    pub assign: Option<Template>,
    /// `OutputPath`.
    pub output: Selection,
    /// `Retry`.
    pub retriers: Vec<Retrier>,
    /// `Catch`.
    pub catchers: Vec<Catcher>,
    /// `Next` or `End`.
    pub next: Transition,
}

impl Parallel {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        parser: &mut Parser,
        depth: usize,
    ) -> Option<Parallel> {
        if !fields.has("Branches") {
            parser.diagnostics.schema(fields.location(), "These fields are required: [Branches]");
        }
        let at = fields.at("Branches");
        let entries = fields.list("Branches", &mut parser.diagnostics).unwrap_or_default();
        let branches: Vec<ContainerId> = entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| branch(entry, format!("{at}[{index}]"), parser, depth))
            .collect();
        let diagnostics = &mut parser.diagnostics;
        let input = fields.selection("InputPath", diagnostics);
        let parameters = fields.template("Parameters", diagnostics);
        let result_selector = fields.template("ResultSelector", diagnostics);
        let result_path = fields.result_path(diagnostics);
        let assign = fields.assign(diagnostics);
        let output = fields.selection("OutputPath", diagnostics);
        let retriers = retriers(fields, diagnostics);
        let catchers = catchers(fields, names, diagnostics);
        let next = names.transition(fields, diagnostics)?;
        Some(Parallel {
            input,
            parameters,
            branches,
            result_selector,
            result_path,
            assign,
            output,
            retriers,
            catchers,
            next,
        })
    }
}

fn branch(entry: &Json, at: String, parser: &mut Parser, depth: usize) -> Option<ContainerId> {
    let Json::Object(object) = entry else {
        parser.diagnostics.schema(at, "Expected value of type [OBJECT]");
        return None;
    };
    let mut fields = Fields::new(object, at);
    fields.take("Comment");
    let container = parser.container(&mut fields, depth + 1);
    fields.finish(&mut parser.diagnostics);
    container
}
