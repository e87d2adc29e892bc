//! What a state does with its data: select, reshape, merge (asl-facts 10 and 12).
//!
//! JSONPath sees the data as `$`; JSONata sees it under the name that it has in `$states`. Every failure names the state and the event that entered it, as AWS's texts begin.

use std::cell::LazyCell;
use std::ops::RangeInclusive;
use std::sync::Arc;

use asl::intrinsic::{self, Entropy};
use asl::json::Json;
use asl::jsonata::{self, Evaluation, Expected, Expression, QueryFailure};
use asl::machine::{Body, Output, Payload, Quantity, Selection};
use asl::path::{Path, STEPS_MAX, Scope, Variables, Work};
use asl::states::map::Percentage;
use asl::template::{Template, TemplateFailure};
use asl::{ResultPath, SECONDS_MAX};

use crate::context::Surroundings;
use crate::execution::{Execution, FrameId, TaskId};
use crate::failure::{INTRINSIC_FAILURE, Query, RESULT_PATH_MATCH_FAILURE, Raised};
use crate::moment::{Dice, Moment};
use crate::payload;
use crate::step::{Data, Site, Step};
use crate::trial::Station;

/// Transitions that a millisecond spent on expressions counts as: a step of expressions goes on for about 100 ms, as long as
/// the neighbours should wait for, and one of templates for 512 transitions.
const MILLISECOND_WEIGHT: u32 = 5;

/// Milliseconds of one step that all its expressions may take together: a state can have thousands, each within its own
/// bound, and nothing can stop an execution before its step is over.
const EXPRESSIONS_MS_MAX: u64 = 5_000;

/// Values visited by paths and functions that a transition is worth: a step of them goes on for about 100 ms, too.
const VISITS_PER_TRANSITION: usize = 5_000;

/// Values that the paths and functions of one step may visit together: a Choice can have thousands of rules and a Map
/// thousands of items, each within the bound of a field, and nothing can stop an execution before its step is over.
const VISITS_MAX: usize = 20 * STEPS_MAX;

/// What an evaluation sees besides its input.
#[derive(Default)]
pub(crate) struct Extra {
    /// The task whose token `$$.Task.Token` is.
    pub(crate) task: Option<TaskId>,
    /// The item that ItemSelector is evaluated for.
    pub(crate) item: Option<(u32, Json)>,
}

/// What a state's data is, which is the name that JSONata has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The input, or something made of it: `$states.input` is the raw input whatever the data is.
    Input,
    /// `$states.result`.
    Result,
    /// `$states.errorOutput`.
    Error,
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

/// What an expression sees.
struct Sight<'a, C: FnOnce() -> Json> {
    input: &'a Json,
    named: Option<(Role, &'a Json)>,
    context: LazyCell<Json, C>,
    variables: Visible<'a>,
    now_ms: i64,
    seed: u64,
    budget_ms: u64,
}

impl<C: FnOnce() -> Json> jsonata::Surroundings for Sight<'_, C> {
    fn states(&self, member: &str) -> Option<Json> {
        let named = |role| self.named.filter(|(own, _)| *own == role).map(|(_, value)| value.clone());
        match member {
            "input" => Some(self.input.clone()),
            "result" => named(Role::Result),
            "errorOutput" => named(Role::Error),
            "context" => Some(self.context.clone()),
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Option<Json> {
        self.variables.variable(name)
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn budget_ms(&self) -> u64 {
        self.budget_ms
    }
}

impl<'a> Step<'a> {
    /// These variables, as far as they are there, as an object.
    pub(crate) fn variables_of(&self, site: &Site<'a>, names: impl IntoIterator<Item = Arc<str>>) -> Json {
        let visible = Visible { execution: self.execution, frame: site.frame };
        Json::object(names.into_iter().filter_map(|name| Some((name.clone(), visible.variable(&name)?))))
    }

    /// The beginning of every cause that the interpreter itself gives; a state that is tried alone has none (recorded).
    pub(crate) fn cause(&self, site: &Site<'a>, text: impl std::fmt::Display) -> String {
        if self.trial.is_some() {
            return text.to_string();
        }
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

    /// The data that a state works on: its raw input through `InputPath`.
    pub(crate) fn input(&mut self, site: &Site<'a>, selection: &Selection) -> Result<Data, Raised> {
        let data = self.select(site, selection, Data::Named(site.input))?;
        self.show(Station::InputPath, &data);
        Ok(data)
    }

    /// The value that a path finds; nothing found fails the state.
    pub(crate) fn find(&mut self, site: &Site<'a>, path: &Path, data: &Data) -> Result<Json, Raised> {
        let found = self.evaluate(site, data, Extra::default(), |scope, _| path.select(scope));
        found.map_err(|miss| self.runtime(site, miss.cause(path)))
    }

    /// `Parameters`, `Arguments`, `Assign` and their like.
    pub(crate) fn payload(
        &mut self,
        site: &Site<'a>,
        payload: &Payload,
        data: &Data,
        role: Role,
        extra: Extra,
    ) -> Result<Data, Raised> {
        match payload {
            Payload::JsonPath(template) => self.template(site, template, data, extra),
            Payload::Jsonata(query) => self.query(site, query, data, role, extra),
        }
    }

    /// A payload template in JSONPath.
    pub(crate) fn template(
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

    /// A value with expressions in it.
    pub(crate) fn query(
        &mut self,
        site: &Site<'a>,
        query: &jsonata::Template,
        data: &Data,
        role: Role,
        extra: Extra,
    ) -> Result<Data, Raised> {
        if let Some(literal) = query.literal() {
            return Ok(Data::Value(literal.clone()));
        }
        let made = self.evaluate_query(site, data, role, extra, |evaluation| query.evaluate(evaluation));
        made.map(Data::Value)
    }

    /// One expression, which sees the input.
    pub(crate) fn expression(
        &mut self,
        site: &Site<'a>,
        expression: &Expression,
        expected: Expected,
    ) -> Result<Json, Raised> {
        let input = Data::Named(site.input);
        self.evaluate_query(site, &input, Role::Input, Extra::default(), |evaluation| {
            expression.evaluate(evaluation, expected)
        })
    }

    /// `OutputPath` or `Output`: the data that leaves a state.
    pub(crate) fn output(
        &mut self,
        site: &Site<'a>,
        output: &Output,
        data: Data,
        role: Role,
    ) -> Result<Data, Raised> {
        match output {
            Output::Path(selection) => self.select(site, selection, data),
            Output::Query(query) => self.query(site, query, &data, role, Extra::default()),
        }
    }

    /// Evaluates expressions of a state.
    pub(crate) fn evaluate_query<T>(
        &mut self,
        site: &Site<'a>,
        data: &Data,
        role: Role,
        extra: Extra,
        what: impl FnOnce(&mut dyn Evaluation) -> Result<T, QueryFailure>,
    ) -> Result<T, Raised> {
        let seed = self.dice.next_u64();
        let execution: &Execution = self.execution;
        let input = self.value(&Data::Named(site.input));
        let named = (role != Role::Input).then(|| self.value(data));
        let surroundings = surroundings(self.execution, self.at, site, extra);
        let sight = Sight {
            input: &input,
            named: named.as_ref().map(|value| (role, value)),
            context: LazyCell::new(|| surroundings.as_ref().map_or(Json::Null, Surroundings::context)),
            variables: Visible { execution, frame: site.frame },
            now_ms: self.at.now_ms,
            seed,
            budget_ms: EXPRESSIONS_MS_MAX.saturating_sub(self.expressions_ms),
        };
        let mut evaluation = self.machine.jsonata.begin(&sight);
        let made = what(&mut *evaluation);
        let spent_ms = evaluation.spent_ms();
        drop(evaluation);
        self.expressions_ms = self.expressions_ms.saturating_add(spent_ms);
        let weight = u32::try_from(spent_ms).unwrap_or(u32::MAX).saturating_mul(MILLISECOND_WEIGHT);
        self.transitions = self.transitions.saturating_add(weight);
        made.map_err(|failure| self.query_failed(site, failure))
    }

    /// A `States.QueryEvaluationError` of this state.
    pub(crate) fn query_failed(&self, site: &Site<'a>, failure: QueryFailure) -> Raised {
        let QueryFailure { location, text } = failure;
        let query = Query { location, entered: false };
        Raised::query(self.cause(site, text), query)
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
        let surroundings = surroundings(self.execution, self.at, site, extra);
        let context = LazyCell::new(|| surroundings.as_ref().map_or(Json::Null, Surroundings::context));
        let variables = Visible { execution: self.execution, frame: site.frame };
        let work = Work::within(VISITS_MAX.saturating_sub(self.visited));
        let scope = Scope { input: &input, context: &context, variables: &variables, work: &work };
        let made = what(&scope, &mut self.dice);
        self.visited = self.visited.saturating_add(work.taken());
        let weight = u32::try_from(work.taken() / VISITS_PER_TRANSITION).unwrap_or(u32::MAX);
        self.transitions = self.transitions.saturating_add(weight);
        made
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
            Some(Quantity::Query(expression)) => {
                let value = self.expression(site, expression, Expected::Integer)?;
                self.whole(site, expression, &value, 1..=SECONDS_MAX).map(Some)
            }
            Some(Quantity::Path(path)) => {
                let value = self.find(site, path, data)?;
                match value.as_i64().and_then(|seconds| u64::try_from(seconds).ok()) {
                    Some(seconds) if (1..=SECONDS_MAX).contains(&seconds) => Ok(Some(seconds)),
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

    /// A count: written down, or found by a path as a number or its text (recorded).
    pub(crate) fn count(
        &mut self,
        site: &Site<'a>,
        quantity: Option<&Quantity>,
        data: &Data,
        field: &str,
    ) -> Result<Option<u64>, Raised> {
        match self.integer(site, quantity, data, field)? {
            None => Ok(None),
            Some(count) => match u64::try_from(count) {
                Ok(count) => Ok(Some(count)),
                Err(_) => {
                    let name = field.trim_end_matches("Path");
                    Err(self.runtime(site, format!("{name} cannot be negative.")))
                }
            },
        }
    }

    /// A whole number, which may be less than nothing when a path found it.
    pub(crate) fn integer(
        &mut self,
        site: &Site<'a>,
        quantity: Option<&Quantity>,
        data: &Data,
        field: &str,
    ) -> Result<Option<i64>, Raised> {
        match quantity {
            None => Ok(None),
            Some(Quantity::Fixed(count)) => Ok(Some(i64::try_from(*count).unwrap_or(i64::MAX))),
            Some(Quantity::Query(expression)) => {
                let value = self.expression(site, expression, Expected::Integer)?;
                let whole = self.whole(site, expression, &value, 0..=u64::from(u32::MAX))?;
                Ok(Some(i64::try_from(whole).unwrap_or(i64::MAX)))
            }
            Some(Quantity::Path(path)) => {
                let number =
                    self.number_at(site, path, data, field, "integer", |number| number.fract() == 0.0)?;
                Ok(Some(number as i64))
            }
        }
    }

    /// `ToleratedFailurePercentage`.
    pub(crate) fn percentage(
        &mut self,
        site: &Site<'a>,
        percentage: Option<&Percentage>,
        data: &Data,
    ) -> Result<Option<f64>, Raised> {
        let number = match percentage {
            None => return Ok(None),
            Some(Percentage::Fixed(number)) => *number,
            Some(Percentage::Found(Quantity::Fixed(number))) => *number as f64,
            Some(Percentage::Found(Quantity::Query(expression))) => {
                let value = self.expression(site, expression, Expected::Number)?;
                self.whole(site, expression, &value, 0..=100)?;
                value.as_f64().unwrap_or_default()
            }
            Some(Percentage::Found(Quantity::Path(path))) => {
                self.number_at(site, path, data, "ToleratedFailurePercentagePath", "float", |_| true)?
            }
        };
        if !(0.0..=100.0).contains(&number) {
            return Err(self.runtime(site, "ToleratedFailurePercentage must be between 0 and 100."));
        }
        Ok(Some(number))
    }

    /// The number that a path finds, or its text (recorded).
    fn number_at(
        &mut self,
        site: &Site<'a>,
        path: &Path,
        data: &Data,
        field: &str,
        kind: &str,
        fits: fn(f64) -> bool,
    ) -> Result<f64, Raised> {
        let value = self.find(site, path, data)?;
        let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match number.filter(|number| fits(*number)) {
            Some(number) => Ok(number),
            None => {
                // In quotes, whatever it is (recorded).
                let text = plain(&value);
                let text = format!(
                    "The {field} field refers to value \"{text}\" which is not a valid {kind}: {path}"
                );
                Err(self.runtime(site, text))
            }
        }
    }

    /// The number that an expression gave, which must lie where a literal must. The text is ours: no recording shows it.
    pub(crate) fn whole(
        &self,
        site: &Site<'a>,
        expression: &Expression,
        value: &Json,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Raised> {
        let (low, high) = (*range.start(), *range.end());
        match value.as_f64() {
            // A part of one counts as one: 100.5 is more than 100.
            Some(number) if number >= low as f64 && number.ceil() <= high as f64 => Ok(number.ceil() as u64),
            _ => {
                let text =
                    format!("returned a value that is not between {low} and {high}: {}", value.to_text());
                Err(self.query_failed(site, expression.failure(text)))
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
        Data::Text(payload::Payload::of_text(out.into()))
    }
}

/// What the context object of a state is made of.
pub(crate) fn surroundings<'a>(
    execution: &'a Execution,
    at: Moment<'a>,
    site: &'a Site<'_>,
    extra: Extra,
) -> Option<Surroundings<'a>> {
    execution.activation(site.frame).map(|activation| Surroundings {
        execution,
        frame: site.frame,
        activation,
        // Whatever its name is (recorded).
        state_name: if at.world.trial().is_some() { asl::LONE_STATE } else { &site.state.name },
        with_retries: matches!(site.state.body, Body::Task(_) | Body::Parallel(_) | Body::Map(_)),
        token: extra.task.map(|task| at.world.token(task)),
        item: extra.item,
        trial: at.world.trial(),
    })
}

/// A value as AWS shows it in a sentence: a string without its quotes.
pub(crate) fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_text(), str::to_owned)
}

/// A value in a cause may be large; a cause need not be.
const SHOWN_BYTES_MAX: usize = 4096;

/// A value as JSON in a sentence, cut when it is long.
pub(crate) fn shown(value: &Json) -> String {
    value.to_text_within(SHOWN_BYTES_MAX).unwrap_or_else(|_| "…".to_owned())
}
