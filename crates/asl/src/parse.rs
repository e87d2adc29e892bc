//! Text to [`Machine`]: the containers, the names in them and the transitions between them.
//!
//! Names come first: every state of a container has its id before any of its states is read, so that a transition is
//! resolved where it stands. What a state's own fields mean is the business of its file in `states/`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::fields::{Fields, Language, SECONDS_MAX};
use crate::json::{Json, Object};
use crate::jsonata::Jsonata;
use crate::machine::{Body, Container, ContainerId, Machine, State, StateId, Transition};
use crate::states::{choice, fail, map, parallel, pass, succeed, task, wait};

/// The longest name of a state, in characters (asl-facts 5).
const STATE_NAME_CHARS_MAX: usize = 80;

/// Containers inside containers: deeper definitions than this are refused rather than risking the stack, here and where
/// the machine runs. Each costs three levels of JSON or more, so that the reader's own limit is not far.
const NESTING_MAX: usize = 32;

/// Whether a machine keeps every step (`STANDARD`) or runs fast and forgets (`EXPRESS`); some states need the former.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineType {
    /// Durable, up to a year.
    #[default]
    Standard,
    /// Up to five minutes; no activities, callbacks or `.sync`.
    Express,
}

/// Reads and checks a definition; `jsonata` compiles its expressions.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn parse(
    text: &str,
    machine_type: MachineType,
    jsonata: &Arc<dyn Jsonata>,
) -> Result<Machine, Vec<Diagnostic>> {
    let json = read(text)?;
    let Json::Object(object) = &json else { return Err(not_an_object()) };
    parse_object(object, Parser::new(machine_type, jsonata))
}

/// The text as JSON.
fn read(text: &str) -> Result<Json, Vec<Diagnostic>> {
    if text.trim().is_empty() {
        return Err(not_an_object());
    }
    Json::parse(text).map_err(|error| {
        let location = Some(error.location(text));
        vec![Diagnostic { code: Code::InvalidJson, message: error.message_at(text), location }]
    })
}

fn not_an_object() -> Vec<Diagnostic> {
    let message = "Definition must be a valid JSON object".into();
    vec![Diagnostic { code: Code::Schema, message, location: None }]
}

/// The name of a state that stands alone, as AWS has it in diagnostics and in the context object (recorded).
pub const LONE_STATE: &str = "StateName";

/// Reads and checks one state by itself, as TestState takes it: a machine that has it under the name [`LONE_STATE`], with
/// a stand-in for each state that it leads to.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn parse_state(text: &str, jsonata: &Arc<dyn Jsonata>) -> Result<Machine, Vec<Diagnostic>> {
    let json = read(text)?;
    let Json::Object(state) = &json else { return Err(not_an_object()) };
    let mut states = Object::from_iter([(Arc::from(LONE_STATE), json.clone())]);
    for target in targets(state) {
        let stand_in = || Json::object([("Type", Json::from("Succeed"))]);
        states.entry(target).or_insert_with(stand_in);
    }
    let machine = Object::from_iter([
        ("StartAt".into(), Json::from(LONE_STATE)),
        ("States".into(), Json::from(states)),
    ]);
    let mut parser = Parser::new(MachineType::Standard, jsonata);
    parser.lone = true;
    parse_object(&machine, parser)
}

/// The names that a state leads to, whatever else is wrong with it.
fn targets(state: &Object) -> impl Iterator<Item = Arc<str>> {
    let entries = |field: &str| state.get(field).and_then(Json::as_array).into_iter().flatten();
    let inside = entries("Catch").chain(entries("Choices")).filter_map(|entry| entry.get("Next"));
    let own = ["Next", "Default"].into_iter().filter_map(|field| state.get(field));
    own.chain(inside).filter_map(Json::as_str).map(Arc::from)
}

fn parse_object(object: &Object, mut parser: Parser<'_>) -> Result<Machine, Vec<Diagnostic>> {
    let mut fields = Fields::new(object, "");
    fields.take("Comment");
    let diagnostics = &mut parser.diagnostics;
    if let Some(version) = fields.string("Version", diagnostics)
        && &*version != "1.0"
    {
        diagnostics.schema("/Version", "Value should be one of the following: [1.0]");
    }
    if query_language(&mut fields, diagnostics) == Some(QueryLanguage::Jsonata) {
        parser.language = QueryLanguage::Jsonata;
    }
    let diagnostics = &mut parser.diagnostics;
    let timeout_seconds = fields.integer("TimeoutSeconds", 0..=SECONDS_MAX, diagnostics);
    let root = parser.container(&mut fields, 0);
    fields.finish(&mut parser.diagnostics);
    parser.finish(timeout_seconds, root)
}

const QUERY_LANGUAGE: &str = "QueryLanguage";

/// How a state says what it wants of its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum QueryLanguage {
    #[default]
    JsonPath,
    Jsonata,
}

/// `QueryLanguage`, of the machine or of a state.
fn query_language(fields: &mut Fields<'_>, diagnostics: &mut Diagnostics) -> Option<QueryLanguage> {
    match &*fields.string(QUERY_LANGUAGE, diagnostics)? {
        "JSONPath" => Some(QueryLanguage::JsonPath),
        "JSONata" => Some(QueryLanguage::Jsonata),
        _ => {
            let message = "Value should be one of the following: [JSONPath, JSONata]";
            diagnostics.schema(fields.at(QUERY_LANGUAGE), message);
            None
        }
    }
}

/// The fields that exist in JSONata only, by the type of state.
fn jsonata_fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "Task" | "Parallel" => &["Arguments", "Output"],
        "Map" => &["Items", "Output"],
        "Pass" | "Wait" | "Choice" | "Succeed" => &["Output"],
        _ => &[],
    }
}

/// The fields of any state that exist in JSONPath only.
const JSONPATH_FIELDS: [&str; 16] = [
    "InputPath",
    "Parameters",
    "Result",
    "ResultSelector",
    "ResultPath",
    "OutputPath",
    "ItemsPath",
    "MaxConcurrencyPath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ErrorPath",
    "CausePath",
];

/// The states that a transition may name: those of one container.
pub(crate) struct Names<'a> {
    ids: &'a IndexMap<Arc<str>, StateId>,
}

impl Names<'_> {
    /// The state that `field` names; reports a missing field and a name that is not in the container.
    pub(crate) fn target(
        &self,
        fields: &mut Fields<'_>,
        field: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<StateId> {
        if !fields.has(field) {
            fields.missing(field, diagnostics);
        }
        self.optional_target(fields, field, diagnostics)
    }

    pub(crate) fn optional_target(
        &self,
        fields: &mut Fields<'_>,
        field: &'static str,
        diagnostics: &mut Diagnostics,
    ) -> Option<StateId> {
        let name = fields.string(field, diagnostics)?;
        let found = self.ids.get(&name).copied();
        if found.is_none() {
            let message = format!("Missing '{field}' target: {name}");
            diagnostics.push(Code::MissingTransitionTarget, fields.at(field), message);
        }
        found
    }

    /// `Next` or `End: true`: exactly one.
    pub(crate) fn transition(
        &self,
        fields: &mut Fields<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Transition> {
        let end = fields.boolean("End", diagnostics);
        let next = self.optional_target(fields, "Next", diagnostics);
        match (end, fields.has("Next")) {
            (Some(true), true) => {
                diagnostics.schema(fields.location(), "Only one of 'Next' and 'End' can be given");
                None
            }
            (Some(true), false) => Some(Transition::End),
            (_, true) => next.map(Transition::Next),
            (_, false) => {
                diagnostics.schema(fields.location(), "One of these fields is required: [Next, End]");
                None
            }
        }
    }
}

pub(crate) struct Parser<'j> {
    pub(crate) machine_type: MachineType,
    pub(crate) diagnostics: Diagnostics,
    jsonata: &'j Arc<dyn Jsonata>,
    /// The machine's query language, and every state's that names none: nesting changes nothing (asl-facts 9.1).
    language: QueryLanguage,
    /// Whether any state is written in JSONata.
    has_expressions: bool,
    states: Vec<Option<State>>,
    containers: Vec<Option<Container>>,
    names: HashSet<Arc<str>>,
    labels: HashMap<Arc<str>, String>,
    /// Whether the machine was made around one state: then it is not asked to be whole.
    lone: bool,
}

impl<'j> Parser<'j> {
    fn new(machine_type: MachineType, jsonata: &'j Arc<dyn Jsonata>) -> Self {
        Parser {
            machine_type,
            diagnostics: Diagnostics::default(),
            jsonata,
            language: QueryLanguage::default(),
            has_expressions: false,
            states: Vec::new(),
            containers: Vec::new(),
            names: HashSet::new(),
            labels: HashMap::new(),
            lone: false,
        }
    }

    /// Reads `StartAt` and `States` of one container.
    pub(crate) fn container(&mut self, fields: &mut Fields<'_>, depth: usize) -> Option<ContainerId> {
        let missing: Vec<&str> =
            ["States", "StartAt"].into_iter().filter(|field| !fields.has(field)).collect();
        if !missing.is_empty() {
            let message = format!("These fields are required: [{}]", missing.join(", "));
            self.diagnostics.schema(fields.location(), message);
        }
        if depth > NESTING_MAX {
            let message = format!("States are nested deeper than {NESTING_MAX} levels");
            self.diagnostics.schema(fields.location(), message);
            fields.take("StartAt");
            fields.take("States");
            return None;
        }
        let states_at = fields.at("States");
        let Some(object) = fields.object("States", &mut self.diagnostics) else {
            fields.take("StartAt");
            return None;
        };
        if object.is_empty() {
            self.diagnostics.schema(states_at.clone(), "Value cannot be empty");
        }
        let id = ContainerId(self.containers.len() as u32);
        self.containers.push(None);
        let states = self.declare(object, &states_at);
        let names = Names { ids: &states };
        let start_at = names.optional_target(fields, "StartAt", &mut self.diagnostics);
        for (name, value) in object {
            let at = format!("{states_at}/{name}");
            match value {
                Json::Object(object) => {
                    let (body, language) = self.state(Fields::new(object, at), &names, depth);
                    let in_jsonata = language == QueryLanguage::Jsonata;
                    let slot = states[name];
                    self.states[slot.0 as usize] =
                        body.map(|body| State { name: name.clone(), container: id, in_jsonata, body });
                }
                _ => self.diagnostics.schema(at, "Expected value of type [OBJECT]"),
            }
        }
        let start_at = start_at?;
        if !(self.lone && id == ContainerId::ROOT) {
            self.check_graph(start_at, &states, &states_at);
        }
        self.containers[id.0 as usize] = Some(Container { start_at, states });
        Some(id)
    }

    /// Gives every state of a container its id, before any of them is read.
    fn declare(&mut self, object: &Object, at: &str) -> IndexMap<Arc<str>, StateId> {
        let mut ids = IndexMap::new();
        for name in object.keys() {
            if name.is_empty() || name.chars().count() > STATE_NAME_CHARS_MAX {
                let message = format!("State name must have 1 to {STATE_NAME_CHARS_MAX} characters");
                self.diagnostics.schema(format!("{at}/{name}"), message);
            }
            if !self.names.insert(name.clone()) {
                let message = format!("Duplicate state name: {name}");
                self.diagnostics.push(Code::DuplicateStateName, format!("{at}/{name}"), message);
            }
            ids.insert(name.clone(), StateId(self.states.len() as u32));
            self.states.push(None);
        }
        ids
    }

    fn state<'a>(
        &mut self,
        mut fields: Fields<'a>,
        names: &Names<'_>,
        depth: usize,
    ) -> (Option<Body>, QueryLanguage)
    where
        'j: 'a,
    {
        fields.take("Comment");
        let language = self.state_language(&mut fields);
        (self.body(fields, language, names, depth), language)
    }

    fn body<'a>(
        &mut self,
        mut fields: Fields<'a>,
        language: QueryLanguage,
        names: &Names<'_>,
        depth: usize,
    ) -> Option<Body>
    where
        'j: 'a,
    {
        if !fields.has("Type") {
            self.diagnostics.schema(fields.location(), "These fields are required: [Type]");
        }
        let kind = fields.string("Type", &mut self.diagnostics)?;
        let diagnostics = &mut self.diagnostics;
        match language {
            QueryLanguage::JsonPath => fields.refuse_language(jsonata_fields(&kind), diagnostics),
            QueryLanguage::Jsonata => {
                self.has_expressions = true;
                fields.speak(Language::Jsonata(&**self.jsonata));
                fields.refuse_language(&JSONPATH_FIELDS, diagnostics);
            }
        }
        let body = match &*kind {
            "Pass" => pass::Pass::parse(&mut fields, names, diagnostics).map(Body::Pass),
            "Task" => task::Task::parse(&mut fields, names, self.machine_type, diagnostics).map(Body::Task),
            "Choice" => choice::Choice::parse(&mut fields, names, diagnostics).map(Body::Choice),
            "Wait" => wait::Wait::parse(&mut fields, names, diagnostics).map(Body::Wait),
            "Succeed" => Some(Body::Succeed(succeed::Succeed::parse(&mut fields, diagnostics))),
            "Fail" => Some(Body::Fail(fail::Fail::parse(&mut fields, diagnostics))),
            "Parallel" => parallel::Parallel::parse(&mut fields, names, self, depth).map(Body::Parallel),
            "Map" => map::Map::parse(&mut fields, names, self, depth).map(Body::Map),
            _ => {
                diagnostics.schema(
                    fields.at("Type"),
                    "The field 'Type' should have one of these values: \
                     [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]",
                );
                return None;
            }
        };
        fields.finish(&mut self.diagnostics);
        body
    }

    /// The language that a state is written in. A machine in JSONata has no states in JSONPath (recorded).
    fn state_language(&mut self, fields: &mut Fields<'_>) -> QueryLanguage {
        let own = query_language(fields, &mut self.diagnostics);
        if self.language == QueryLanguage::Jsonata && own == Some(QueryLanguage::JsonPath) {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            self.diagnostics.schema(fields.location(), message);
        }
        own.unwrap_or(self.language)
    }

    /// A Map's label must be unique in the machine.
    pub(crate) fn label(&mut self, label: Arc<str>, at: &str) {
        if let Some(other) = self.labels.insert(label.clone(), at.into()) {
            self.diagnostics.schema(at, format!("Label '{label}' is already used at {other}"));
        }
    }

    /// Every state is reached from `StartAt`, and some state ends the container.
    fn check_graph(&mut self, start_at: StateId, states: &IndexMap<Arc<str>, StateId>, at: &str) {
        let mut reached = HashSet::from([start_at]);
        let mut open = vec![start_at];
        let mut ends = false;
        let mut complete = true;
        while let Some(id) = open.pop() {
            let Some(state) = &self.states[id.0 as usize] else {
                // It has a diagnostic of its own; where it leads is not known.
                complete = false;
                continue;
            };
            let (targets, terminal) = exits(&state.body);
            ends |= terminal;
            open.extend(targets.into_iter().filter(|target| reached.insert(*target)));
        }
        if !complete {
            return;
        }
        if !ends {
            let message =
                "No terminal state was found: one state must have 'End: true' or be of type Succeed or Fail";
            self.diagnostics.push(Code::MissingEndState, at, message);
        }
        for (name, id) in states {
            if !reached.contains(id) && self.states[id.0 as usize].is_some() {
                let message = format!("Missing 'Next' target: no state leads to {name}");
                self.diagnostics.push(Code::MissingTransitionTarget, format!("{at}/{name}"), message);
            }
        }
    }

    fn finish(
        self,
        timeout_seconds: Option<u64>,
        root: Option<ContainerId>,
    ) -> Result<Machine, Vec<Diagnostic>> {
        if !self.diagnostics.0.is_empty() {
            return Err(self.diagnostics.0);
        }
        let states = self.states.into_iter().collect::<Option<Vec<State>>>();
        let containers = self.containers.into_iter().collect::<Option<Vec<Container>>>();
        match (states, containers, root) {
            (Some(states), Some(containers), Some(ContainerId::ROOT)) => {
                let (jsonata, has_expressions) = (self.jsonata.clone(), self.has_expressions);
                Ok(Machine { timeout_seconds, states, containers, jsonata, has_expressions })
            }
            _ => {
                let message = "The definition could not be read".into();
                Err(vec![Diagnostic { code: Code::Schema, message, location: Some("/".into()) }])
            }
        }
    }
}

/// Where a state may go, and whether it may end its container.
fn exits(body: &Body) -> (Vec<StateId>, bool) {
    let (next, catchers): (Option<Transition>, &[_]) = match body {
        Body::Pass(state) => (Some(state.next), &[]),
        Body::Wait(state) => (Some(state.next), &[]),
        Body::Task(task::Task { work, .. })
        | Body::Parallel(parallel::Parallel { work, .. })
        | Body::Map(map::Map { work, .. }) => (Some(work.next), &work.catchers),
        Body::Succeed(_) | Body::Fail(_) => (Some(Transition::End), &[]),
        Body::Choice(state) => {
            let targets = state.rules.iter().map(|rule| rule.next).chain(state.default);
            return (targets.collect(), false);
        }
    };
    let mut targets: Vec<StateId> = catchers.iter().map(|catcher| catcher.next).collect();
    if let Some(Transition::Next(next)) = next {
        targets.push(next);
    }
    (targets, next == Some(Transition::End))
}
