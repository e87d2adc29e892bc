//! Map: runs one container for each item of an array, some of them at a time; the result is the array of outputs.
//!
//! This release runs Maps inline. A Distributed Map is refused when the machine is created, not when it runs.

use crate::diagnostic::Diagnostics;
use crate::fields::Fields;
use crate::jsonata::{self, Sees};
use crate::machine::{ContainerId, Payload, Quantity};
use crate::parse::{Names, Parser};
use crate::path::Path;
use crate::states::work::Work;

/// The most iterations that an inline Map runs at a time, whatever it asks for (asl-facts 16.1).
pub const INLINE_CONCURRENCY_MAX: u64 = 40;

/// A Map state.
#[derive(Debug)]
pub struct Map {
    /// What it shares with the other states that work.
    pub work: Work,
    /// Whether it is written in JSONata, whose errors read otherwise.
    pub in_jsonata: bool,
    /// `ItemsPath` or `Items`; without it the whole input is the array.
    pub items: Option<Items>,
    /// `ItemSelector`, or `Parameters` as it was called.
    pub item_selector: Option<ItemSelector>,
    /// `ItemProcessor`, or `Iterator` as it was called.
    pub processor: ContainerId,
    /// `MaxConcurrency`; absent or 0 means no limit but [`INLINE_CONCURRENCY_MAX`].
    pub max_concurrency: Option<Quantity>,
    /// `ToleratedFailureCount`.
    pub tolerated_failure_count: Option<Quantity>,
    /// `ToleratedFailurePercentage`.
    pub tolerated_failure_percentage: Option<Quantity>,
}

/// Where the array is.
#[derive(Debug)]
pub enum Items {
    /// `ItemsPath`.
    Path(Path),
    /// `Items`.
    Query(jsonata::Template),
}

/// What each iteration gets instead of its item.
#[derive(Debug)]
pub struct ItemSelector {
    /// Evaluated once per item; `$$.Map.Item` is the item.
    pub template: Payload,
    /// The field that it was written in, for errors.
    pub field: &'static str,
}

impl Map {
    pub(crate) fn parse(
        fields: &mut Fields<'_>,
        names: &Names<'_>,
        parser: &mut Parser<'_>,
        depth: usize,
    ) -> Option<Map> {
        let processor = processor(fields, parser, depth);
        let diagnostics = &mut parser.diagnostics;
        let items = items(fields, diagnostics);
        let selector = fields.payload("ItemSelector", Sees::Input, diagnostics);
        let parameters = fields.template("Parameters", diagnostics).map(Payload::JsonPath);
        if fields.has("ItemSelector") && fields.has("Parameters") {
            let message = "Only one of 'ItemSelector' and 'Parameters' can be given";
            diagnostics.schema(fields.location(), message);
        }
        let item_selector = selector
            .map(|template| ItemSelector { template, field: "ItemSelector" })
            .or(parameters.map(|template| ItemSelector { template, field: "Parameters" }));
        let max_concurrency =
            fields.quantity("MaxConcurrency", "MaxConcurrencyPath", 0..=u64::from(u32::MAX), diagnostics);
        let tolerated_failure_count = fields.quantity(
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            0..=u64::from(u32::MAX),
            diagnostics,
        );
        let tolerated_failure_percentage =
            fields.percentage("ToleratedFailurePercentage", "ToleratedFailurePercentagePath", diagnostics);
        label(fields, parser);
        let diagnostics = &mut parser.diagnostics;
        for field in ["ItemReader", "ItemBatcher", "ResultWriter"] {
            if fields.take(field).is_some() {
                refuse_distributed(fields.at(field), diagnostics);
            }
        }
        let work = Work::parse(fields, names, diagnostics)?;
        Some(Map {
            work,
            in_jsonata: fields.language().is_jsonata(),
            items,
            item_selector,
            processor: processor?,
            max_concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
        })
    }
}

fn items(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Items> {
    const FIELD: &str = "Items";
    let at = fields.at(FIELD);
    let query = fields.query(FIELD, Sees::Input, diagnostics);
    if query.as_ref().and_then(jsonata::Template::literal).is_some_and(|items| items.as_array().is_none()) {
        diagnostics.schema(at, "Expected value of type [ARRAY]");
    }
    query.map(Items::Query).or_else(|| fields.path("ItemsPath", diagnostics).map(Items::Path))
}

fn label(fields: &mut Fields<'_>, parser: &mut Parser) {
    let at = fields.at("Label");
    if let Some(label) = fields.string("Label", &mut parser.diagnostics) {
        if label.chars().count() > 40 {
            parser.diagnostics.schema(at.clone(), "Label must have at most 40 characters");
        }
        parser.label(label, &at);
    }
}

/// `ItemProcessor` or `Iterator`.
fn processor(fields: &mut Fields<'_>, parser: &mut Parser<'_>, depth: usize) -> Option<ContainerId> {
    let (field, other) =
        if fields.has("Iterator") { ("Iterator", "ItemProcessor") } else { ("ItemProcessor", "Iterator") };
    if fields.has(other) {
        let message = format!("Only one of '{field}' and '{other}' can be given");
        parser.diagnostics.schema(fields.location(), message);
    }
    if !fields.has(field) {
        parser.diagnostics.schema(fields.location(), "These fields are required: [ItemProcessor]");
    }
    fields.take(other);
    let at = fields.at(field);
    let object = fields.object(field, &mut parser.diagnostics)?;
    let mut processor = Fields::new(object, at);
    processor.take("Comment");
    processor_config(&mut processor, &mut parser.diagnostics);
    let container = parser.container(&mut processor, depth + 1);
    processor.finish(&mut parser.diagnostics);
    container
}

fn processor_config(processor: &mut Fields<'_>, diagnostics: &mut Diagnostics) {
    let at = processor.at("ProcessorConfig");
    let Some(object) = processor.object("ProcessorConfig", diagnostics) else { return };
    let mut config = Fields::new(object, at);
    match config.string("Mode", diagnostics).as_deref() {
        None | Some("INLINE") => {}
        Some("DISTRIBUTED") => refuse_distributed(config.at("Mode"), diagnostics),
        Some(_) => {
            let message = "Value should be one of the following: [INLINE, DISTRIBUTED]";
            diagnostics.schema(config.at("Mode"), message);
        }
    }
    if let Some(kind) = config.string("ExecutionType", diagnostics)
        && !["STANDARD", "EXPRESS"].contains(&&*kind)
    {
        let message = "Value should be one of the following: [STANDARD, EXPRESS]";
        diagnostics.schema(config.at("ExecutionType"), message);
    }
    config.finish(diagnostics);
}

fn refuse_distributed(at: String, diagnostics: &mut Diagnostics) {
    diagnostics.schema(at, "Loveless does not run Distributed Maps yet; use an inline Map until it does");
}
