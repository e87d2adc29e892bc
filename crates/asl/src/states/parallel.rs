//! Parallel: runs branches side by side on one input; the result is the array of their outputs.

use crate::fields::Fields;
use crate::json::Json;
use crate::jsonata::Sees;
use crate::machine::{ContainerId, Payload};
use crate::parse::{Names, Parser};
use crate::states::work::Work;

/// A Parallel state.
#[derive(Debug)]
pub struct Parallel {
    /// What it shares with the other states that work.
    pub work: Work,
    /// `Parameters` or `Arguments`.
    pub parameters: Option<Payload>,
    /// `Branches`, in order.
    pub branches: Vec<ContainerId>,
}

impl Parallel {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        parser: &mut Parser<'_>,
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
        let parameters = fields.payload(fields.parameters_field(), Sees::Input, diagnostics);
        let work = Work::parse(fields, names, diagnostics)?;
        Some(Parallel { work, parameters, branches })
    }
}

fn branch(entry: &Json, at: String, parser: &mut Parser<'_>, depth: usize) -> Option<ContainerId> {
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
