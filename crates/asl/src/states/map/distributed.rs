//! The fields that only a Distributed Map has: where its items come from, how they are put together, and where the
//! results go (asl-facts 16.2 to 16.4).
//!
//! It knows what may be written down. What a bucket is, and how a CSV file reads, is for whoever runs the Map.

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::fields::Fields;
use crate::json::Json;
use crate::jsonata::Sees;
use crate::machine::{Payload, Quantity};

/// The most items that a reader or a batch may be limited to (asl-facts 16.2 and 16.3).
pub const ITEMS_MAX: u64 = 100_000_000;
/// The most bytes that a batch may be limited to: a child's input may not be larger (asl-facts 16.3).
pub const BATCH_BYTES_MAX: u64 = 262_144;
/// The longest label, in characters (asl-facts 5).
pub(super) const LABEL_CHARS_MAX: usize = 40;

/// The fields of these objects that exist in JSONPath only.
const JSONPATH_FIELDS: [&str; 4] =
    ["Parameters", "MaxItemsPath", "MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"];

/// What a Map has because it is distributed.
#[derive(Debug)]
pub struct Distributed {
    /// `ExecutionType`: whether its children are EXPRESS.
    pub express: bool,
    /// `Label`.
    pub label: Option<Arc<str>>,
    /// `ItemReader`; without it the items are in the state's input.
    pub reader: Option<ItemReader>,
    /// `ItemBatcher`.
    pub batcher: Option<ItemBatcher>,
    /// `ResultWriter`.
    pub writer: Option<ResultWriter>,
}

/// `ItemReader`.
#[derive(Debug)]
pub struct ItemReader {
    /// What is read.
    pub source: Source,
    /// `Parameters` or `Arguments`.
    pub arguments: Option<Payload>,
    /// The part of `ReaderConfig` that does not depend on the input.
    pub format: ReaderFormat,
    /// `MaxItems`.
    pub max_items: Option<Quantity>,
}

/// `Resource` of an ItemReader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `s3:getObject`: one object.
    Object,
    /// `s3:listObjectsV2`: a listing.
    Listing,
}

/// `ReaderConfig`: how objects read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReaderFormat {
    /// `InputType`, or that of a manifest's files.
    pub input_type: Option<InputType>,
    /// `Transformation: LOAD_AND_FLATTEN`: the rows of every listed object.
    pub flatten: bool,
    /// `ManifestType`: the object names the files that have the rows.
    pub manifest: Option<ManifestType>,
    /// `CSVDelimiter`.
    pub delimiter: Delimiter,
    /// `CSVHeaders`, when they are GIVEN.
    pub headers: Option<Vec<Arc<str>>>,
    /// `ItemsPointer`: where in a JSON document the items are.
    pub pointer: Option<Arc<str>>,
}

/// `InputType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    /// Comma-separated values.
    Csv,
    /// A JSON document.
    Json,
    /// One JSON document a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// An S3 inventory's manifest.
    Manifest,
}

/// `ManifestType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestType {
    /// `manifest.json` of an S3 inventory: CSV files with the columns that it names.
    S3Inventory,
    /// A CSV file of Athena's UNLOAD: a URI of a data file in each line.
    AthenaData,
}

/// `CSVDelimiter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the character of its name")]
pub enum Delimiter {
    #[default]
    Comma,
    Pipe,
    Semicolon,
    Space,
    Tab,
}

/// `ItemBatcher`.
#[derive(Debug)]
pub struct ItemBatcher {
    /// `MaxItemsPerBatch`.
    pub items_max: Option<Quantity>,
    /// `MaxInputBytesPerBatch`.
    pub bytes_max: Option<Quantity>,
    /// `BatchInput`.
    pub input: Option<Payload>,
}

/// `ResultWriter`.
#[derive(Debug)]
pub struct ResultWriter {
    /// `Parameters` or `Arguments` of `s3:putObject`; without them the results stay the state's output.
    pub target: Option<Payload>,
    /// `Transformation`.
    pub transformation: Transformation,
    /// `OutputType: JSONL`.
    pub lines: bool,
}

/// What is written of each child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transformation {
    /// Its output with all that is known of it.
    None,
    /// Its output.
    Compact,
    /// Its output, the elements of an array one by one.
    Flatten,
}

impl Distributed {
    pub(super) fn parse(
        fields: &mut Fields<'_>,
        express: bool,
        label: Option<Arc<str>>,
        diagnostics: &mut Diagnostics,
    ) -> Distributed {
        Distributed {
            express,
            label,
            reader: reader(fields, diagnostics),
            batcher: batcher(fields, diagnostics),
            writer: writer(fields, diagnostics),
        }
    }
}

/// The value of a field that has one of these names.
fn one_of<T: Copy>(
    fields: &mut Fields<'_>,
    field: &'static str,
    values: &[(&str, T)],
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let text = fields.string(field, diagnostics)?;
    let found = values.iter().find(|(name, _)| *name == &*text).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        let message = format!("Value should be one of the following: [{}]", names.join(", "));
        diagnostics.schema(fields.at(field), message);
    }
    found
}

/// An object inside the state, read by `read`, whose other fields are unknown.
fn section<'a, T>(
    fields: &mut Fields<'a>,
    field: &'static str,
    diagnostics: &mut Diagnostics,
    read: impl FnOnce(&mut Fields<'a>, &mut Diagnostics) -> Option<T>,
) -> Option<T> {
    let at = fields.at(field);
    let object = fields.object(field, diagnostics)?;
    let mut inside = fields.inside(object, at);
    let other_language: &[&'static str] =
        if inside.language().is_jsonata() { &JSONPATH_FIELDS } else { &["Arguments"] };
    inside.refuse_language(other_language, diagnostics);
    let made = read(&mut inside, diagnostics);
    inside.finish(diagnostics);
    made
}

/// `Parameters`, or `Arguments` in JSONata.
fn arguments(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Payload> {
    let field = fields.parameters_field();
    fields.payload(field, Sees::Input, diagnostics)
}

fn reader(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<ItemReader> {
    section(fields, "ItemReader", diagnostics, |reader, diagnostics| {
        if !reader.has("Resource") {
            reader.missing("Resource", diagnostics);
        }
        let source = reader.string("Resource", diagnostics).and_then(|arn| {
            let found = match action(&arn) {
                Some("getObject") => Some(Source::Object),
                Some("listObjectsV2") => Some(Source::Listing),
                _ => None,
            };
            if found.is_none() {
                let message = "ItemReader's Resource should be one of the following: \
                               [arn:aws:states:::s3:getObject, arn:aws:states:::s3:listObjectsV2]";
                diagnostics.schema(reader.at("Resource"), message);
            }
            found
        });
        let arguments = arguments(reader, diagnostics);
        let mut max_items = None;
        let has_config = reader.has("ReaderConfig");
        let config = section(reader, "ReaderConfig", diagnostics, |config, diagnostics| {
            max_items = config.quantity("MaxItems", "MaxItemsPath", 0..=ITEMS_MAX, diagnostics);
            format(config, source, diagnostics)
        });
        let format = if has_config { config? } else { ReaderFormat::default() };
        let source = source?;
        if source == Source::Object && format.input_type.is_none() && format.manifest.is_none() {
            let message = "The field 'InputType' is required for the resource 's3:getObject'";
            diagnostics.schema(reader.location(), message);
        }
        Some(ItemReader { source, arguments, format, max_items })
    })
}

/// The last part of `arn:aws:states:::s3:ACTION`.
fn action(arn: &str) -> Option<&str> {
    let (partition, action) = arn.strip_prefix("arn:")?.split_once(":states:::s3:")?;
    partition.starts_with("aws").then_some(action)
}

fn format(
    config: &mut Fields<'_>,
    source: Option<Source>,
    diagnostics: &mut Diagnostics,
) -> Option<ReaderFormat> {
    let input_type = one_of(
        config,
        "InputType",
        &[
            ("CSV", InputType::Csv),
            ("JSON", InputType::Json),
            ("JSONL", InputType::JsonLines),
            ("PARQUET", InputType::Parquet),
            ("MANIFEST", InputType::Manifest),
        ],
        diagnostics,
    );
    let flatten =
        one_of(config, "Transformation", &[("NONE", false), ("LOAD_AND_FLATTEN", true)], diagnostics);
    let manifest = one_of(
        config,
        "ManifestType",
        &[("S3_INVENTORY", ManifestType::S3Inventory), ("ATHENA_DATA", ManifestType::AthenaData)],
        diagnostics,
    );
    let delimiter = one_of(
        config,
        "CSVDelimiter",
        &[
            ("COMMA", Delimiter::Comma),
            ("PIPE", Delimiter::Pipe),
            ("SEMICOLON", Delimiter::Semicolon),
            ("SPACE", Delimiter::Space),
            ("TAB", Delimiter::Tab),
        ],
        diagnostics,
    );
    let given = one_of(config, "CSVHeaderLocation", &[("FIRST_ROW", false), ("GIVEN", true)], diagnostics);
    let headers = headers(config, diagnostics);
    let pointer = config.string("ItemsPointer", diagnostics);
    if pointer.as_ref().is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        diagnostics.schema(config.at("ItemsPointer"), "Value is not a valid JSON Pointer");
    }
    if pointer.is_some() && input_type != Some(InputType::Json) {
        let message = "ItemsPointer is only supported for the InputType 'JSON'";
        diagnostics.schema(config.at("ItemsPointer"), message);
    }
    let of_csv = input_type == Some(InputType::Csv);
    if of_csv && given.is_none() && !config.has("CSVHeaderLocation") {
        config.missing("CSVHeaderLocation", diagnostics);
    }
    if given == Some(true) && headers.is_none() && !config.has("CSVHeaders") {
        config.missing("CSVHeaders", diagnostics);
    }
    if headers.is_some() && given == Some(false) {
        let message = "CSVHeaders can only be given with the CSVHeaderLocation 'GIVEN'";
        diagnostics.schema(config.at("CSVHeaders"), message);
    }
    if flatten == Some(true) && (source == Some(Source::Object) || input_type.is_none()) {
        let message =
            "The Transformation 'LOAD_AND_FLATTEN' needs the resource 's3:listObjectsV2' and an InputType";
        diagnostics.schema(config.at("Transformation"), message);
    }
    // `InputType: MANIFEST` is how an inventory was named before ManifestType was.
    let inventory = input_type == Some(InputType::Manifest);
    let manifest = manifest.or(inventory.then_some(ManifestType::S3Inventory));
    Some(ReaderFormat {
        input_type: input_type.filter(|_| !inventory),
        flatten: flatten.unwrap_or_default(),
        manifest,
        delimiter: delimiter.unwrap_or_default(),
        headers: headers.filter(|_| given == Some(true)),
        pointer,
    })
}

fn headers(config: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<Arc<str>>> {
    let list = config.list("CSVHeaders", diagnostics)?;
    let headers: Option<Vec<Arc<str>>> = list
        .iter()
        .map(|header| match header {
            Json::String(header) => Some(header.clone()),
            _ => None,
        })
        .collect();
    if headers.is_none() {
        diagnostics.schema(config.at("CSVHeaders"), "Expected value of type [STRING]");
    }
    headers
}

fn batcher(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<ItemBatcher> {
    section(fields, "ItemBatcher", diagnostics, |batcher, diagnostics| {
        let items_max =
            batcher.quantity("MaxItemsPerBatch", "MaxItemsPerBatchPath", 1..=ITEMS_MAX, diagnostics);
        let bytes_max = batcher.quantity(
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
            1..=BATCH_BYTES_MAX,
            diagnostics,
        );
        let input = batcher.payload("BatchInput", Sees::Input, diagnostics);
        let limits = [
            "MaxItemsPerBatch",
            "MaxItemsPerBatchPath",
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
        ];
        if !limits.iter().any(|limit| batcher.has(limit)) {
            let message = "One of these fields is required: [MaxItemsPerBatch, MaxItemsPerBatchPath, \
                           MaxInputBytesPerBatch, MaxInputBytesPerBatchPath]";
            diagnostics.schema(batcher.location(), message);
        }
        Some(ItemBatcher { items_max, bytes_max, input })
    })
}

fn writer(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<ResultWriter> {
    section(fields, "ResultWriter", diagnostics, |writer, diagnostics| {
        let resource = writer.string("Resource", diagnostics);
        if resource.as_deref().is_some_and(|arn| action(arn) != Some("putObject")) {
            let message =
                "ResultWriter's Resource should be one of the following: [arn:aws:states:::s3:putObject]";
            diagnostics.schema(writer.at("Resource"), message);
        }
        let field = writer.parameters_field();
        let target = arguments(writer, diagnostics);
        if writer.has("Resource") && !writer.has(field) {
            writer.missing(field, diagnostics);
        }
        if writer.has(field) && !writer.has("Resource") {
            writer.missing("Resource", diagnostics);
        }
        if !writer.has("Resource") && !writer.has("WriterConfig") {
            let message = "One of these fields is required: [Resource, WriterConfig]";
            diagnostics.schema(writer.location(), message);
        }
        let config = section(writer, "WriterConfig", diagnostics, |config, diagnostics| {
            let transformation = one_of(
                config,
                "Transformation",
                &[
                    ("NONE", Transformation::None),
                    ("COMPACT", Transformation::Compact),
                    ("FLATTEN", Transformation::Flatten),
                ],
                diagnostics,
            );
            let lines = one_of(config, "OutputType", &[("JSON", false), ("JSONL", true)], diagnostics);
            Some((transformation, lines))
        });
        let (transformation, lines) = config.unwrap_or_default();
        // Exports tell everything of a child unless they are told otherwise; outputs of the state do not (asl-facts 16.4).
        let usual = if resource.is_some() { Transformation::None } else { Transformation::Compact };
        let transformation = transformation.unwrap_or(usual);
        Some(ResultWriter { target, transformation, lines: lines.unwrap_or_default() })
    })
}
