//! What a state does with its data in JSONPath mode: select, reshape, merge (asl-facts 10).
//!
//! Every failure names the state and the event that entered it, as AWS's texts begin.

use std::cell::LazyCell;
use std::sync::Arc;

use asl::ResultPath;
use asl::intrinsic;
use asl::json::Json;
use asl::machine::{Body, Quantity, Selection};
use asl::path::{Path, Scope, Variables};
use asl::template::{Template, TemplateFailure};

use crate::context::Surroundings;
use crate::execution::{Execution, FrameId, TaskId};
use crate::failure::{INTRINSIC_FAILURE, RESULT_PATH_MATCH_FAILURE, Raised};
use crate::moment::Dice;
use crate::step::{Data, Site, Step};

/// What an evaluation sees besides its input.
#[derive(Default)]
pub(crate) struct Extra {
    /// The task whose token `$$.Task.Token` is.
    pub(crate) task: Option<TaskId>,
    /// The item that ItemSelector is evaluated for.
    pub(crate) item: Option<(u32, Json)>,
}

/// The variables that a frame sees: its own, and those of the frames around it.
struct Visible<'a> {
    execution: &'a Execution,
    frame: FrameId,
}

impl Variables for Visible<'_> {
    fn variable(&self, name: &str) -> Option<Json> {
        let name: Arc<str> = name.into();
        let mut frame = self.frame;
        loop {
            if let Some(id) = self.execution.variables.get(&(frame, name.clone())) {
                return self.execution.heap.get(*id).map(|payload| payload.value().clone());
            }
            frame = self.execution.frames.get(&frame)?.seat?.parent;
        }
    }
}

impl<'a> Step<'a> {
    /// The beginning of every cause that the interpreter itself gives.
    pub(crate) fn cause(&self, site: &Site<'a>, text: impl std::fmt::Display) -> String {
        format!(
            "An error occurred while executing the state '{}' (entered at the event id #{}). {text}",
            site.state.name, site.entered_event
        )
    }

    /// A `States.Runtime` failure of this state.
    pub(crate) fn runtime(&self, site: &Site<'a>, text: impl std::fmt::Display) -> Raised {
        Raised::runtime(self.cause(site, text))
    }

    /// `InputPath` or `OutputPath`.
    pub(crate) fn select(
        &mut self,
        site: &Site<'a>,
        selection: &Selection,
        data: Data,
    ) -> Result<Data, Raised> {
        match selection {
            Selection::All => Ok(data),
            Selection::Nothing => Ok(Data::Value(Json::empty_object())),
            Selection::Path(path) => self.find(site, path, &data).map(Data::Value),
        }
    }

    /// The value that a path finds; nothing found fails the state.
    pub(crate) fn find(&mut self, site: &Site<'a>, path: &Path, data: &Data) -> Result<Json, Raised> {
        let found = self.evaluate(site, data, Extra::default(), |scope, _| path.select(scope));
        found.map_err(|miss| self.runtime(site, miss.cause(path)))
    }

    /// `Parameters`, `ResultSelector` and their like.
    pub(crate) fn template(
        &mut self,
        site: &Site<'a>,
        template: &Template,
        data: &Data,
    ) -> Result<Data, Raised> {
        self.template_with(site, template, data, Extra::default())
    }

    /// A template that also sees a token or an item.
    pub(crate) fn template_with(
        &mut self,
        site: &Site<'a>,
        template: &Template,
        data: &Data,
        extra: Extra,
    ) -> Result<Data, Raised> {
        let made = self.evaluate(site, data, extra, |scope, dice| template.evaluate(scope, dice));
        made.map(Data::Value).map_err(|failure| match failure {
            TemplateFailure::Path(text) => self.runtime(site, text),
            TemplateFailure::Call(failure) => self.call_failed(site, failure),
        })
    }

    /// An intrinsic function that stands alone.
    pub(crate) fn call(
        &mut self,
        site: &Site<'a>,
        call: &intrinsic::Call,
        data: &Data,
    ) -> Result<Json, Raised> {
        let made = self.evaluate(site, data, Extra::default(), |scope, dice| call.evaluate(scope, dice));
        made.map_err(|failure| self.call_failed(site, failure))
    }

    fn call_failed(&self, site: &Site<'a>, failure: intrinsic::Failure) -> Raised {
        match failure {
            intrinsic::Failure::Path(text) => self.runtime(site, text),
            intrinsic::Failure::Intrinsic(text) => Raised::named(INTRINSIC_FAILURE, self.cause(site, text)),
        }
    }

    /// `ResultPath`: puts a result into the raw input.
    pub(crate) fn merge(&mut self, site: &Site<'a>, path: &ResultPath, result: Data) -> Result<Data, Raised> {
        match path {
            ResultPath::Replace => Ok(result),
            ResultPath::Discard => Ok(Data::Named(site.input)),
            ResultPath::At(path) => {
                let input = self.value(&Data::Named(site.input));
                let result = self.value(&result);
                path.set(&input, result)
                    .map(Data::Value)
                    .map_err(|problem| Raised::named(RESULT_PATH_MATCH_FAILURE, self.cause(site, problem)))
            }
        }
    }

    /// Evaluates something in the scope of a state.
    pub(crate) fn evaluate<T>(
        &mut self,
        site: &Site<'a>,
        data: &Data,
        extra: Extra,
        what: impl FnOnce(&Scope<'_>, &mut Dice) -> T,
    ) -> T {
        let input = self.value(data);
        let execution: &Execution = self.execution;
        let world = self.at.world;
        let surroundings = execution.activation(site.frame).map(|activation| Surroundings {
            execution,
            frame: site.frame,
            activation,
            state_name: &site.state.name,
            with_retries: matches!(site.state.body, Body::Task(_) | Body::Parallel(_) | Body::Map(_)),
            token: extra.task.map(|task| world.token(task)),
            item: extra.item,
        });
        let context = LazyCell::new(|| surroundings.as_ref().map_or(Json::Null, Surroundings::context));
        let variables = Visible { execution, frame: site.frame };
        let scope = Scope { input: &input, context: &context, variables: &variables };
        what(&scope, &mut self.dice)
    }

    /// A number of seconds: written down, or found by a path.
    pub(crate) fn seconds(
        &mut self,
        site: &Site<'a>,
        quantity: Option<&Quantity>,
        data: &Data,
        field: &str,
    ) -> Result<Option<u64>, Raised> {
        match quantity {
            None => Ok(None),
            Some(Quantity::Fixed(seconds)) => Ok(Some(*seconds)),
            Some(Quantity::Path(path)) => {
                let value = self.find(site, path, data)?;
                match value.as_i64().and_then(|seconds| u64::try_from(seconds).ok()) {
                    Some(seconds) if seconds > 0 => Ok(Some(seconds)),
                    _ => {
                        let text = value.to_text();
                        let text = format!(
                            "The {field} parameter does not reference a positive integer: {path} == {text}"
                        );
                        Err(self.runtime(site, text))
                    }
                }
            }
        }
    }

    /// A count or percentage: written down, or found by a path as a number or its text (recorded).
    pub(crate) fn count(
        &mut self,
        site: &Site<'a>,
        quantity: Option<&Quantity>,
        data: &Data,
        field: &str,
        kind: &str,
    ) -> Result<Option<u64>, Raised> {
        let path = match quantity {
            None => return Ok(None),
            Some(Quantity::Fixed(count)) => return Ok(Some(*count)),
            Some(Quantity::Path(path)) => path,
        };
        let value = self.find(site, path, data)?;
        let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match number {
            Some(number) if kind == "float" || number.fract() == 0.0 => {
                if number < 0.0 {
                    let name = field.trim_end_matches("Path");
                    return Err(self.runtime(site, format!("{name} cannot be negative.")));
                }
                Ok(Some(number as u64))
            }
            _ => {
                // In quotes, whatever it is (recorded).
                let text = plain(&value);
                let text = format!(
                    "The {field} field refers to value \"{text}\" which is not a valid {kind}: {path}"
                );
                Err(self.runtime(site, text))
            }
        }
    }

    /// The texts of payloads as one JSON array: put together, not parsed and written again.
    pub(crate) fn array_of(&self, texts: impl IntoIterator<Item = Arc<str>>) -> Data {
        let mut out = String::from("[");
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&text);
        }
        out.push(']');
        Data::Text(out.into())
    }
}

/// A value as AWS shows it in a sentence: a string without its quotes.
pub(crate) fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_text(), str::to_owned)
}
