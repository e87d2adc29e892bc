//! Succeed: ends its container; the input becomes the output.

use crate::diagnostic::Diagnostics;
use crate::fields::Fields;
use crate::machine::Selection;

/// A Succeed state.
#[derive(Debug)]
pub struct Succeed {
    /// `InputPath`.
    pub input: Selection,
    /// `OutputPath`.
    pub output: Selection,
}

impl Succeed {
    pub(crate) fn parse(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Succeed {
        let input = fields.selection("InputPath", diagnostics);
        let output = fields.selection("OutputPath", diagnostics);
        Succeed { input, output }
    }
}
