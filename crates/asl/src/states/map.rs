//! Map: runs one container for each item of an array, some of them at a time; the result is the array of outputs.
//!
//! An inline Map runs them inside its execution. A Distributed Map runs each as an execution of its own, and has more
//! fields for it (`map/distributed.rs`).

pub mod distributed;

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::fields::Fields;
use crate::jsonata::{self, Sees};
use crate::machine::{ContainerId, Payload, Quantity};
use crate::parse::{MachineType, Names, Parser};
use crate::path::Path;
use crate::states::map::distributed::{Distributed, LABEL_CHARS_MAX};
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
    pub tolerated_failure_percentage: Option<Percentage>,
    /// What it has when it is distributed.
    pub distributed: Option<Box<Distributed>>,
}

/// A percentage, which may have a part of one.
#[derive(Debug)]
pub enum Percentage {
    /// Written in the definition.
    Fixed(f64),
    /// The path or the expression that finds it.
    Found(Quantity),
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
        let (processor, mode) = processor(fields, parser, depth);
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
        let label = label(fields, parser);
        let diagnostics = &mut parser.diagnostics;
        // An inline Map has none of the other fields, and says so as of any field that it does not have.
        let distributed = match mode {
            Mode::Inline => None,
            Mode::Distributed { express } => {
                Some(Box::new(Distributed::parse(fields, express, label, diagnostics)))
            }
        };
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
            distributed,
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

fn label(fields: &mut Fields<'_>, parser: &mut Parser) -> Option<Arc<str>> {
    let at = fields.at("Label");
    let label = fields.string("Label", &mut parser.diagnostics)?;
    let length = label.chars().count();
    if length == 0 {
        parser.diagnostics.schema(at.clone(), "Value cannot be empty");
    }
    if length > LABEL_CHARS_MAX {
        parser.diagnostics.schema(at.clone(), "Label must have at most 40 characters");
    }
    // It becomes a part of ARNs, so that the rules of names hold for it (asl-facts 5).
    if label.chars().any(|letter| {
        letter.is_whitespace() || letter.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(letter)
    }) {
        parser.diagnostics.schema(at.clone(), "Label has a character that labels cannot have");
    }
    parser.label(label.clone(), &at);
    Some(label)
}

/// How the iterations run.
#[derive(Clone, Copy)]
enum Mode {
    Inline,
    Distributed { express: bool },
}

/// `ItemProcessor` or `Iterator`.
fn processor(fields: &mut Fields<'_>, parser: &mut Parser<'_>, depth: usize) -> (Option<ContainerId>, Mode) {
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
    let Some(object) = fields.object(field, &mut parser.diagnostics) else { return (None, Mode::Inline) };
    let mut processor = Fields::new(object, at);
    processor.take("Comment");
    let mode = processor_config(&mut processor, parser.machine_type, &mut parser.diagnostics);
    // Children that are EXPRESS cannot do what express machines cannot.
    let around = parser.machine_type;
    if let Mode::Distributed { express: true } = mode {
        parser.machine_type = MachineType::Express;
    }
    let container = parser.container(&mut processor, depth + 1);
    parser.machine_type = around;
    processor.finish(&mut parser.diagnostics);
    (container, mode)
}

fn processor_config(
    processor: &mut Fields<'_>,
    machine_type: MachineType,
    diagnostics: &mut Diagnostics,
) -> Mode {
    let at = processor.at("ProcessorConfig");
    let Some(object) = processor.object("ProcessorConfig", diagnostics) else { return Mode::Inline };
    let mut config = Fields::new(object, at);
    let distributed = match config.string("Mode", diagnostics).as_deref() {
        None | Some("INLINE") => false,
        Some("DISTRIBUTED") => true,
        Some(_) => {
            let message = "Value should be one of the following: [INLINE, DISTRIBUTED]";
            diagnostics.schema(config.at("Mode"), message);
            false
        }
    };
    if distributed && machine_type == MachineType::Express {
        // After the recorded texts of other refusals (asl-facts 17.8).
        let message = "Express state machine does not support Map states in DISTRIBUTED mode";
        diagnostics.schema(config.at("Mode"), message);
    }
    if distributed && !config.has("ExecutionType") {
        config.missing("ExecutionType", diagnostics);
    }
    let express = match config.string("ExecutionType", diagnostics).as_deref() {
        None | Some("STANDARD") => false,
        Some("EXPRESS") => true,
        Some(_) => {
            let message = "Value should be one of the following: [STANDARD, EXPRESS]";
            diagnostics.schema(config.at("ExecutionType"), message);
            false
        }
    };
    config.finish(diagnostics);
    if distributed { Mode::Distributed { express } } else { Mode::Inline }
}
