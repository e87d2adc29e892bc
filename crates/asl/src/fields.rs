//! Reads the fields of one JSON object of a definition, and says what is wrong with each at its place.
//!
//! Every accessor marks its field as known; [`Fields::finish`] reports what nobody asked for. An accessor returns
//! `None` both for an absent field and for a bad one: a bad one has left its diagnostic.

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::json::{Json, Object};
use crate::jsonata::{self, Expression, Jsonata, Sees};
use crate::machine::{Output, Payload, Quantity, Selection};
use crate::path::{Path, ReferencePath};
use crate::states::map::Percentage;
use crate::template::Template;

/// The largest number of seconds in any field (asl-facts 9.1).
pub const SECONDS_MAX: u64 = 99_999_999;

/// The query language that a state is written in, with what it takes to read it.
#[derive(Clone, Copy)]
pub(crate) enum Language<'a> {
    JsonPath,
    Jsonata(&'a dyn Jsonata),
}

impl Language<'_> {
    /// The names of this language and of the other one.
    fn names(self) -> [&'static str; 2] {
        match self {
            Language::JsonPath => ["JSONPath", "JSONata"],
            Language::Jsonata(_) => ["JSONata", "JSONPath"],
        }
    }

    pub(crate) fn is_jsonata(self) -> bool {
        matches!(self, Language::Jsonata(_))
    }
}

pub(crate) struct Fields<'a> {
    object: &'a Object,
    /// `/States/Name`, without a slash at the end; empty for the definition itself.
    location: String,
    known: Vec<&'static str>,
    language: Language<'a>,
    /// How much of `location` is the state's own: the rest is how expressions are blamed.
    state_length: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(object: &'a Object, location: impl Into<String>) -> Self {
        let location = location.into();
        let state_length = location.len();
        Fields { object, location, known: Vec::new(), language: Language::JsonPath, state_length }
    }

    /// The fields of an object inside this one, of the same state.
    pub(crate) fn inside(&self, object: &'a Object, location: impl Into<String>) -> Self {
        Fields { language: self.language, state_length: self.state_length, ..Fields::new(object, location) }
    }

    pub(crate) fn speak(&mut self, language: Language<'a>) {
        self.language = language;
    }

    pub(crate) fn language(&self) -> Language<'a> {
        self.language
    }

    /// Where this object is, as diagnostics show it.
    pub(crate) fn location(&self) -> &str {
        if self.location.is_empty() { "/" } else { &self.location }
    }

    /// Where one of its fields is.
    pub(crate) fn at(&self, field: &str) -> String {
        format!("{}/{field}", self.location)
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    pub(crate) fn take(&mut self, field: &'static str) -> Option<&'a Json> {
        self.known.push(field);
        self.object.get(field)
    }

    /// What the state's effective input is called.
    pub(crate) fn parameters_field(&self) -> &'static str {
        if self.language.is_jsonata() { "Arguments" } else { "Parameters" }
    }

    /// Reports the fields that no accessor asked for.
    pub(crate) fn finish(self, diagnostics: &mut Diagnostics) {
        for name in self.object.keys() {
            if !self.known.iter().any(|known| *known == &**name) {
                diagnostics.schema(self.location(), format!("Field '{name}' is not supported"));
            }
        }
    }

    /// Reports each of `names` that is there: they belong to the other one of the two query languages. The location is
    /// ours: no recording shows it.
    pub(crate) fn refuse_language(&mut self, names: &[&'static str], diagnostics: &mut Diagnostics) {
        let [used, other] = self.language.names();
        for name in names {
            if self.take(name).is_some() {
                let message = format!(
                    "The QueryLanguage is set to '{used}', but field '{name}' is only supported for the '{other}' \
                     QueryLanguage"
                );
                diagnostics.schema(self.at(name), message);
            }
        }
    }

    /// Reports that a field must be there.
    pub(crate) fn missing(&self, field: &str, diagnostics: &mut Diagnostics) {
        diagnostics.schema(self.location(), format!("The field '{field}' is required but was missing"));
    }

    pub(crate) fn string(&mut self, field: &'static str, diagnostics: &mut Diagnostics) -> Option<Arc<str>> {
        match self.take(field)? {
            Json::String(text) => Some(text.clone()),
            _ => self.wrong_type(field, "STRING", diagnostics),
        }
    }

    pub(crate) fn boolean(&mut self, field: &'static str, diagnostics: &mut Diagnostics) -> Option<bool> {
        match self.take(field)? {
            Json::Bool(value) => Some(*value),
            _ => self.wrong_type(field, "BOOLEAN", diagnostics),
        }
    }

    pub(crate) fn object(
        &mut self,
        field: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<&'a Object> {
        match self.take(field)? {
            Json::Object(object) => Some(object),
            _ => self.wrong_type(field, "OBJECT", diagnostics),
        }
    }

    /// A list that may not be empty.
    pub(crate) fn list(&mut self, field: &'static str, diagnostics: &mut Diagnostics) -> Option<&'a [Json]> {
        match self.take(field)? {
            Json::Array(items) if items.is_empty() => {
                diagnostics.schema(self.at(field), "Value cannot be empty");
                None
            }
            Json::Array(items) => Some(items),
            _ => self.wrong_type(field, "ARRAY", diagnostics),
        }
    }

    /// An integer within bounds.
    pub(crate) fn integer(
        &mut self,
        field: &'static str,
        range: std::ops::RangeInclusive<u64>,
        diagnostics: &mut Diagnostics,
    ) -> Option<u64> {
        let value = self.take(field)?;
        match value.as_i64().and_then(|value| u64::try_from(value).ok()) {
            Some(value) if range.contains(&value) => Some(value),
            Some(_) => {
                let (low, high) = (range.start(), range.end());
                diagnostics.schema(self.at(field), format!("Value should be between {low} and {high}"));
                None
            }
            None if matches!(value, Json::Number(_)) => {
                diagnostics.schema(self.at(field), "Value should be a non-negative integer");
                None
            }
            None => self.wrong_type(field, "INTEGER", diagnostics),
        }
    }

    /// A number that is at least `low`.
    pub(crate) fn number(
        &mut self,
        field: &'static str,
        low: f64,
        diagnostics: &mut Diagnostics,
    ) -> Option<f64> {
        let Some(value) = self.take(field)?.as_f64() else {
            return self.wrong_type(field, "NUMBER", diagnostics);
        };
        if value < low {
            diagnostics.schema(self.at(field), format!("Value should be greater than or equal to {low:?}"));
            return None;
        }
        Some(value)
    }

    /// A path into the input, the context object or a variable.
    pub(crate) fn path(&mut self, field: &'static str, diagnostics: &mut Diagnostics) -> Option<Path> {
        let text = self.string(field, diagnostics)?;
        match Path::parse(&text) {
            Ok(path) => Some(path),
            Err(_) => {
                diagnostics.schema(self.at(field), "Value is not a valid JSONPath");
                None
            }
        }
    }

    /// `InputPath` or `OutputPath`.
    pub(crate) fn selection(&mut self, field: &'static str, diagnostics: &mut Diagnostics) -> Selection {
        match self.object.get(field) {
            Some(Json::Null) => {
                self.known.push(field);
                Selection::Nothing
            }
            Some(Json::String(text)) if &**text == "$" => {
                self.known.push(field);
                Selection::All
            }
            _ => self.path(field, diagnostics).map_or(Selection::All, Selection::Path),
        }
    }

    /// `ResultPath`: `Ok(None)` stands for `null`.
    pub(crate) fn result_path(&mut self, diagnostics: &mut Diagnostics) -> ResultPath {
        const FIELD: &str = "ResultPath";
        match self.take(FIELD) {
            None => ResultPath::Replace,
            Some(Json::Null) => ResultPath::Discard,
            Some(Json::String(text)) if &**text == "$" => ResultPath::Replace,
            Some(Json::String(text)) => match ReferencePath::parse(text) {
                Ok(path) => ResultPath::At(path),
                Err(_) => {
                    diagnostics.schema(self.at(FIELD), "Value is not a Reference Path");
                    ResultPath::Replace
                }
            },
            Some(_) => self.wrong_type(FIELD, "STRING", diagnostics).unwrap_or(ResultPath::Replace),
        }
    }

    /// A payload template, in the language of the state.
    pub(crate) fn payload(
        &mut self,
        field: &'static str,
        sees: Sees,
        diagnostics: &mut Diagnostics,
    ) -> Option<Payload> {
        match self.language {
            Language::JsonPath => self.template(field, diagnostics).map(Payload::JsonPath),
            Language::Jsonata(_) => self.query(field, sees, diagnostics).map(Payload::Jsonata),
        }
    }

    /// A payload template in JSONPath.
    pub(crate) fn template(
        &mut self,
        field: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Template> {
        let value = self.take(field)?;
        match Template::parse(value, &self.at(field)) {
            Ok(template) => Some(template),
            Err(problems) => {
                for problem in problems {
                    diagnostics.schema(problem.location, problem.message);
                }
                None
            }
        }
    }

    /// A value with expressions in it.
    pub(crate) fn query(
        &mut self,
        field: &'static str,
        sees: Sees,
        diagnostics: &mut Diagnostics,
    ) -> Option<jsonata::Template> {
        let Language::Jsonata(jsonata) = self.language else { return None };
        let value = self.take(field)?;
        match jsonata::Template::compile(jsonata, value, &self.blamed(field), sees) {
            Ok(template) => Some(template),
            Err(misplaced) => {
                for jsonata::Misplaced { below, refusal } in misplaced {
                    diagnostics.push(refusal.code, format!("{}{below}", self.at(field)), refusal.message);
                }
                None
            }
        }
    }

    /// Whether a field holds an expression where a plain value could stand.
    pub(crate) fn is_expression(&self, field: &str) -> bool {
        let text = self.object.get(field).and_then(Json::as_str);
        self.language.is_jsonata() && text.is_some_and(|text| jsonata::source(text).is_some())
    }

    /// A field that is one expression as a whole.
    pub(crate) fn expression(
        &mut self,
        field: &'static str,
        sees: Sees,
        diagnostics: &mut Diagnostics,
    ) -> Option<Expression> {
        let Language::Jsonata(jsonata) = self.language else { return None };
        let source = jsonata::source(self.take(field)?.as_str()?)?;
        match Expression::compile(jsonata, source, &self.blamed(field), sees) {
            Ok(expression) => Some(expression),
            Err(refusal) => {
                diagnostics.push(refusal.code, self.at(field), refusal.message);
                None
            }
        }
    }

    /// Where a field is in its state, as a failed expression is blamed: `Choices[1]/Condition`.
    fn blamed(&self, field: &str) -> String {
        self.at(field)[self.state_length..].trim_start_matches('/').to_owned()
    }

    /// `OutputPath` or `Output`.
    pub(crate) fn output(&mut self, sees: Sees, diagnostics: &mut Diagnostics) -> Output {
        match self.query("Output", sees, diagnostics) {
            Some(query) => Output::Query(query),
            None => Output::Path(self.selection("OutputPath", diagnostics)),
        }
    }

    /// `Assign`: a payload template whose keys are variable names.
    pub(crate) fn assign(&mut self, sees: Sees, diagnostics: &mut Diagnostics) -> Option<Payload> {
        const FIELD: &str = "Assign";
        for key in self.object.get(FIELD)?.as_object().into_iter().flat_map(|object| object.keys()) {
            let name = match self.language {
                Language::JsonPath => key.strip_suffix(".$").unwrap_or(key),
                Language::Jsonata(_) => key,
            };
            if !is_variable_name(name) {
                diagnostics.schema(self.at(FIELD), format!("Variable name '{name}' is not valid"));
            }
        }
        self.object(FIELD, diagnostics)?;
        self.payload(FIELD, sees, diagnostics)
    }

    /// A whole number of something: `field`, as a number or an expression, or the path in `path_field`.
    pub(crate) fn quantity(
        &mut self,
        field: &'static str,
        path_field: &'static str,
        range: std::ops::RangeInclusive<u64>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Quantity> {
        if self.is_expression(field) {
            return self.expression(field, Sees::Input, diagnostics).map(Quantity::Query);
        }
        let fixed = self.integer(field, range, diagnostics).map(Quantity::Fixed);
        let path = self.path(path_field, diagnostics).map(Quantity::Path);
        if self.has(field) && self.has(path_field) {
            diagnostics
                .schema(self.location(), format!("Only one of '{field}' and '{path_field}' can be given"));
        }
        fixed.or(path)
    }

    /// A percentage, which may have a part of one.
    pub(crate) fn percentage(
        &mut self,
        field: &'static str,
        path_field: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Percentage> {
        let number = self.object.get(field).and_then(Json::as_f64);
        match number.filter(|number| (0.0..=100.0).contains(number)) {
            Some(number) if !self.has(path_field) => {
                self.take(field);
                Some(Percentage::Fixed(number))
            }
            _ => self.quantity(field, path_field, 0..=100, diagnostics).map(Percentage::Found),
        }
    }

    fn wrong_type<T>(&self, field: &str, want: &str, diagnostics: &mut Diagnostics) -> Option<T> {
        diagnostics.schema(self.at(field), format!("Expected value of type [{want}]"));
        None
    }
}

/// What becomes of a state's result.
#[derive(Debug)]
pub enum ResultPath {
    /// `null`: dropped, the input goes on.
    Discard,
    /// `$`, the default: it replaces the input.
    Replace,
    /// It is put into the input here.
    At(ReferencePath),
}

/// Unicode identifiers of at most 80 characters; `states` is reserved (asl-facts 13).
fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(begins_name)
        && chars.all(continues_name)
        && name.chars().count() <= 80
        && name != "states"
}

/// Whether a variable's name can begin with it.
pub(crate) fn begins_name(letter: char) -> bool {
    letter == '_' || unicode_ident::is_xid_start(letter)
}

/// Whether a variable's name can have it after the beginning.
pub(crate) fn continues_name(letter: char) -> bool {
    unicode_ident::is_xid_continue(letter)
}
