//! Succeed: ends its container; the input becomes the output.

use crate::diagnostic::Diagnostics;
use crate::fields::Fields;
use crate::jsonata::Sees;
use crate::machine::{Output, Selection};

/// A Succeed state.
#[derive(Debug)]
pub struct Succeed {
    /// `InputPath`.
    pub input: Selection,
    /// `OutputPath` or `Output`.
    pub output: Output,
}

impl Succeed {
    pub(crate) fn parse(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Succeed {
        let input = fields.selection("InputPath", diagnostics);
        let output = fields.output(Sees::Input, diagnostics);
        Succeed { input, output }
    }
}
