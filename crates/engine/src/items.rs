//! ItemSelector in a Distributed Map: what each child gets, evaluated outside the execution that asked for it.
//!
//! The execution writes down what a selector sees besides its item; whoever runs the Map Run evaluates from that, item
//! by item, and needs neither the execution nor its history. Children see no variables (asl-facts 13), but the selector
//! is the parent's and sees the parent's.

use std::cell::LazyCell;
use std::sync::Arc;

use asl::json::Json;
use asl::jsonata;
use asl::machine::{Body, Machine, Payload, StateId};
use asl::path::{STEPS_MAX, Scope, Variables, Work};
use asl::states::map::Map;
use asl::template::TemplateFailure;
use asl::{intrinsic, payload_references};

use crate::failure::{
    DATA_LIMIT_EXCEEDED, Failure, INTRINSIC_FAILURE, QUERY_EVALUATION_ERROR, RUNTIME, Raised,
};
use crate::io::{Extra, surroundings};
use crate::moment::Dice;
use crate::payload::PayloadId;
use crate::step::{Data, Site, Step};

/// Milliseconds that the expressions of one item may take together.
const EXPRESSIONS_MS_MAX: u64 = 5_000;

/// What ItemSelector sees besides its item.
pub struct ItemScope {
    state: StateId,
    entered_event: u64,
    raw: Json,
    input: Json,
    context: Json,
    variables: Json,
}

/// One item.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its number, from 0.
    pub index: u32,
    /// Its name, when the items are the members of an object.
    pub key: Option<Arc<str>>,
    /// Where it comes from: `STATE_DATA` or an S3 URI.
    pub source: Arc<str>,
    /// Itself.
    pub value: Json,
}

impl<'a> Step<'a> {
    /// Writes down what the ItemSelector of a state sees, as far as it looks.
    pub(crate) fn item_scope(&mut self, site: &Site<'a>, state: &Map, input: &Data) -> PayloadId {
        let mut members =
            vec![("entered", Json::from(i64::try_from(site.entered_event).unwrap_or(i64::MAX)))];
        if let Some(selector) =
            state.item_selector.as_ref().filter(|selector| !is_literal(&selector.template))
        {
            let names = payload_references(&selector.template);
            let variables = self.variables_of(site, names);
            let context = surroundings(self.execution, self.at, site, Extra::default());
            members.push(("input", self.value(input)));
            members.push(("context", context.map_or(Json::Null, |context| context.context())));
            members.push(("variables", variables));
            if state.in_jsonata {
                members.push(("raw", self.value(&Data::Named(site.input))));
            }
        }
        // Its size is that of what the execution holds already; it is no payload of the language.
        self.name_text(Json::object(members).to_text().into())
    }
}

fn is_literal(payload: &Payload) -> bool {
    match payload {
        Payload::JsonPath(template) => template.literal().is_some(),
        Payload::Jsonata(query) => query.literal().is_some(),
    }
}

impl ItemScope {
    /// Reads what [`MapRunPlan::scope`](crate::MapRunPlan::scope) names.
    ///
    /// # Errors
    /// The text is not one of those.
    pub fn read(state: StateId, text: &str) -> Result<ItemScope, String> {
        let scope = Json::parse(text).map_err(|error| error.message().to_owned())?;
        let part = |name: &str| scope.get(name).cloned().unwrap_or(Json::Null);
        let entered = part("entered").as_i64().ok_or("it has no 'entered'")?;
        Ok(ItemScope {
            state,
            entered_event: entered.unsigned_abs(),
            raw: part("raw"),
            input: part("input"),
            context: part("context"),
            variables: part("variables"),
        })
    }

    /// What a child gets for an item: what ItemSelector makes of it, or the item.
    ///
    /// # Errors
    /// As the state would fail: with the error and the cause for its Retry and Catch.
    pub fn select(
        &self,
        machine: &Machine,
        item: Item,
        now_ms: i64,
        seed: u64,
        payload_bytes_max: usize,
    ) -> Result<String, Failure> {
        let state = machine.state(self.state);
        let Body::Map(map) = &state.body else {
            return Err(Failure::new(RUNTIME, format!("'{}' is no Map", state.name)));
        };
        let made = match &map.item_selector {
            None => item.value,
            Some(selector) => {
                let blame = |error: &str, text: &dyn std::fmt::Display| {
                    let text = format!(
                        "An error occurred while executing the state '{}' (entered at the event id #{}). {text}",
                        state.name, self.entered_event
                    );
                    Failure::new(error, text)
                };
                let context = LazyCell::new(|| self.context_of(&item));
                match &selector.template {
                    Payload::JsonPath(template) => {
                        let variables = Known(&self.variables);
                        let work = Work::within(STEPS_MAX);
                        let scope = Scope {
                            input: &self.input,
                            context: &context,
                            variables: &variables,
                            work: &work,
                        };
                        template.evaluate(&scope, &mut Dice::new(seed)).map_err(|failure| match failure {
                            TemplateFailure::Call(intrinsic::Failure::Intrinsic(text)) => {
                                blame(INTRINSIC_FAILURE, &text)
                            }
                            TemplateFailure::Path(text)
                            | TemplateFailure::Call(intrinsic::Failure::Path(text)) => blame(RUNTIME, &text),
                        })?
                    }
                    Payload::Jsonata(query) => {
                        let sight = Sight { scope: self, context: &context, now_ms, seed };
                        let mut evaluation = machine.jsonata.begin(&sight);
                        query
                            .evaluate(&mut *evaluation)
                            .map_err(|failure| blame(QUERY_EVALUATION_ERROR, &failure.text))?
                    }
                }
            }
        };
        made.to_text_within(payload_bytes_max).map_err(|_| {
            let failure = Raised::data_limit(&state.name).failure;
            debug_assert_eq!(failure.error.as_deref(), Some(DATA_LIMIT_EXCEEDED));
            failure
        })
    }

    fn context_of(&self, item: &Item) -> Json {
        let mut shown = vec![("Index", Json::from(i64::from(item.index))), ("Value", item.value.clone())];
        shown.extend(item.key.as_deref().map(|key| ("Key", Json::from(key))));
        shown.push(("Source", Json::from(&*item.source)));
        let map = ("Map".into(), Json::object([("Item", Json::object(shown))]));
        let known = self.context.as_object().into_iter().flatten();
        let known = known.map(|(name, value)| (name.clone(), value.clone()));
        Json::object(known.chain([map]))
    }
}

/// The variables that were written down.
struct Known<'a>(&'a Json);

impl Variables for Known<'_> {
    fn variable(&self, name: &str) -> Option<Json> {
        self.0.get(name).cloned()
    }
}

/// What an expression sees.
struct Sight<'a, C: FnOnce() -> Json> {
    scope: &'a ItemScope,
    context: &'a LazyCell<Json, C>,
    now_ms: i64,
    seed: u64,
}

impl<C: FnOnce() -> Json> jsonata::Surroundings for Sight<'_, C> {
    fn states(&self, member: &str) -> Option<Json> {
        match member {
            "input" => Some(self.scope.raw.clone()),
            "context" => Some((**self.context).clone()),
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Option<Json> {
        self.scope.variables.get(name).cloned()
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn budget_ms(&self) -> u64 {
        EXPRESSIONS_MS_MAX
    }
}
