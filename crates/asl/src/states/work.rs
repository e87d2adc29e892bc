//! What Task, Parallel and Map have in common: work that has an input and a result, may fail, and leads on.

use crate::diagnostic::Diagnostics;
use crate::fields::{Fields, ResultPath};
use crate::jsonata::Sees;
use crate::machine::{Output, Payload, Selection, Transition};
use crate::parse::Names;
use crate::retry::{Catcher, Retrier, catchers, retriers};
use crate::template::Template;

/// The fields around a state's work.
#[derive(Debug)]
pub struct Work {
    /// `InputPath`.
    pub input: Selection,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `Assign`.
    pub assign: Option<Payload>,
    /// `OutputPath` or `Output`.
    pub output: Output,
    /// `Retry`.
    pub retriers: Vec<Retrier>,
    /// `Catch`.
    pub catchers: Vec<Catcher>,
    /// `Next` or `End`.
    pub next: Transition,
}

impl Work {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Work> {
        let input = fields.selection("InputPath", diagnostics);
        let result_selector = fields.template("ResultSelector", diagnostics);
        let result_path = fields.result_path(diagnostics);
        let assign = fields.assign(Sees::Result, diagnostics);
        let output = fields.output(Sees::Result, diagnostics);
        let retriers = retriers(fields, diagnostics);
        let catchers = catchers(fields, names, diagnostics);
        let next = names.transition(fields, diagnostics)?;
        let (retriers, catchers) = (retriers?, catchers?);
        Some(Work { input, result_selector, result_path, assign, output, retriers, catchers, next })
    }
}
