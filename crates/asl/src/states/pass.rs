//! Pass: hands its input on, perhaps reshaped. Order in JSONPath: InputPath, Parameters, Result, ResultPath,
//! OutputPath; JSONata has Output alone.

use crate::diagnostic::Diagnostics;
use crate::fields::{Fields, ResultPath};
use crate::json::Json;
use crate::jsonata::Sees;
use crate::machine::{Output, Payload, Selection, Transition};
use crate::parse::Names;
use crate::template::Template;

/// A Pass state.
#[derive(Debug)]
pub struct Pass {
    /// `InputPath`.
    pub input: Selection,
    /// `Parameters`.
    pub parameters: Option<Template>,
    /// `Result`, taken literally: a key that ends in `.$` is only a key (recorded).
    pub result: Option<Json>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `Assign`.
    pub assign: Option<Payload>,
    /// `OutputPath` or `Output`.
    pub output: Output,
    /// `Next` or `End`.
    pub next: Transition,
}

impl Pass {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Pass> {
        let input = fields.selection("InputPath", diagnostics);
        let parameters = fields.template("Parameters", diagnostics);
        let result = fields.take("Result").cloned();
        let result_path = fields.result_path(diagnostics);
        let assign = fields.assign(Sees::Input, diagnostics);
        let output = fields.output(Sees::Input, diagnostics);
        let next = names.transition(fields, diagnostics)?;
        Some(Pass { input, parameters, result, result_path, assign, output, next })
    }
}
