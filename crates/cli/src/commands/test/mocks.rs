//! `MockConfigFile.json`, as AWS Step Functions Local reads it: which response a case gives for each state, and what each
//! response says at each attempt.
//!
//! ```text
//!   StateMachines / MACHINE / TestCases / CASE / STATE  ──►  "NAME"
//!   MockedResponses / NAME / "0" | "1-2"                ──►  {"Return": …} | {"Throw": {"Error": …, "Cause": …}}
//! ```
//!
//! Everything that is wrong with a file is found before anything runs. It refuses to know how a machine runs.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use asl::machine::{Body, Machine};

use crate::document::finding::{Finding, Severity};
use crate::document::node::{Member, Node, Value};

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct Mocks {
    pub(super) machines: Vec<MockedMachine>,
}

#[derive(Debug)]
pub(super) struct MockedMachine {
    pub(super) name: String,
    pub(super) cases: Vec<Case>,
}

#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// Where its name stands.
    pub(super) span: Range<usize>,
    pub(super) states: Vec<MockedState>,
}

/// A state, and what it is answered.
#[derive(Debug)]
pub(super) struct MockedState {
    pub(super) name: String,
    span: Range<usize>,
    pub(super) response: Arc<Response>,
}

/// A response: what is answered at each attempt, from 0 without gaps.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) name: String,
    /// Where its name stands.
    pub(super) span: Range<usize>,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    attempts: RangeInclusive<usize>,
    span: Range<usize>,
    reply: Reply,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A JSON text.
    Return(Arc<str>),
    Throw {
        error: Arc<str>,
        cause: Option<Arc<str>>,
    },
}

impl Response {
    /// What is answered at an attempt, counted from 0.
    pub(super) fn at(&self, attempt: usize) -> Option<&Reply> {
        self.steps.iter().find(|step| step.attempts.contains(&attempt)).map(|step| &step.reply)
    }

    /// The last attempt that has an answer.
    pub(super) fn last(&self) -> Option<usize> {
        self.steps.last().map(|step| *step.attempts.end())
    }
}

impl Case {
    pub(super) fn response(&self, state: &str) -> Option<&Response> {
        self.states.iter().find(|mocked| mocked.name == state).map(|mocked| &*mocked.response)
    }

    /// What a case says about states that the machine does not have, or that are not answered.
    pub(super) fn misfits(&self, machine: &Machine) -> Vec<Finding> {
        let misfit = |mocked: &MockedState| {
            let name = &mocked.name;
            let Some(id) = machine.find(name) else {
                let tasks: Vec<&str> = machine
                    .states
                    .iter()
                    .filter(|state| matches!(state.body, Body::Task(_)))
                    .map(|state| &*state.name)
                    .collect();
                let help = format!("its Task states are: {}", tasks.join(", "));
                return Some(error(
                    "UNKNOWN_STATE",
                    format!("The machine has no state '{name}'"),
                    &mocked.span,
                    help,
                ));
            };
            let is_task = matches!(machine.state(id).body, Body::Task(_));
            (!is_task).then(|| {
                let message = format!("State '{name}' is not a Task");
                error("NOT_A_TASK", message, &mocked.span, "other states run as they are: take it out".into())
            })
        };
        self.states.iter().filter_map(misfit).collect()
    }
}

/// Reads a file; what could be read, and everything that is wrong with the rest.
pub(super) fn read(root: &Node) -> (Mocks, Vec<Finding>) {
    let mut reader = Reader::default();
    let mocks = reader.file(root);
    (mocks, reader.findings)
}

#[derive(Default)]
struct Reader {
    findings: Vec<Finding>,
}

impl Reader {
    fn file(&mut self, root: &Node) -> Mocks {
        let mut mocks = Mocks::default();
        let members = self.object(root, "The mock file");
        for member in members {
            if !["StateMachines", "MockedResponses"].contains(&member.name.as_str()) {
                let message = format!("Field '{}' is not read", member.name);
                let help = "a mock file has StateMachines and MockedResponses".into();
                let finding = error("UNKNOWN_FIELD", message, &member.name_span, help);
                self.findings.push(Finding { severity: Severity::Warning, ..finding });
            }
        }
        let responses = members.iter().find(|member| member.name == "MockedResponses");
        let responses = responses.map(|member| self.responses(&member.value)).unwrap_or_default();
        match members.iter().find(|member| member.name == "StateMachines") {
            Some(machines) => {
                for member in self.object(&machines.value, "StateMachines") {
                    let cases = self.cases(member, &responses);
                    mocks.machines.push(MockedMachine { name: member.name.clone(), cases });
                }
            }
            None => {
                let help = r#"it begins {"StateMachines": {"NAME": {"TestCases": {"CASE": {"STATE": "RESPONSE"}}}}}"#;
                self.wrong(
                    "MISSING_FIELD",
                    "The mock file has no StateMachines".into(),
                    &root.span,
                    help.into(),
                );
            }
        }
        mocks
    }

    fn cases(&mut self, machine: &Member, responses: &HashMap<String, Arc<Response>>) -> Vec<Case> {
        let members = self.object(&machine.value, "A state machine");
        let Some(cases) = members.iter().find(|member| member.name == "TestCases") else {
            let message = format!("State machine '{}' has no TestCases", machine.name);
            self.wrong(
                "MISSING_FIELD",
                message,
                &machine.name_span,
                "give it TestCases, by their names".into(),
            );
            return Vec::new();
        };
        let mut read = Vec::new();
        for case in self.object(&cases.value, "TestCases") {
            let states = self.object(&case.value, "A test case");
            let states = states.iter().filter_map(|state| self.state(state, responses)).collect();
            read.push(Case { name: case.name.clone(), span: case.name_span.clone(), states });
        }
        read
    }

    fn state(&mut self, state: &Member, responses: &HashMap<String, Arc<Response>>) -> Option<MockedState> {
        let Some(name) = text(&state.value) else {
            let message = format!("State '{}' is mocked by the name of a response, a string", state.name);
            let help = "write the response under MockedResponses, and its name here".into();
            self.wrong("INVALID_MOCK", message, &state.value.span, help);
            return None;
        };
        let Some(response) = responses.get(&name) else {
            let message = format!("There is no response '{name}'");
            let help = format!(r#"add it: "MockedResponses": {{"{name}": {{"0": {{"Return": {{}}}}}}}}"#);
            self.wrong("UNKNOWN_RESPONSE", message, &state.value.span, help);
            return None;
        };
        Some(MockedState {
            name: state.name.clone(),
            span: state.name_span.clone(),
            response: response.clone(),
        })
    }

    /// Every response by its name. One that is wrong is kept as far as it could be read, so that its users are not
    /// reported too.
    fn responses(&mut self, node: &Node) -> HashMap<String, Arc<Response>> {
        let mut responses = HashMap::new();
        for member in self.object(node, "MockedResponses") {
            let steps = self.object(&member.value, "A response");
            let mut steps: Vec<Step> = steps.iter().filter_map(|step| self.step(step)).collect();
            steps.sort_by_key(|step| *step.attempts.start());
            self.check_sequence(member, &steps);
            let (name, span) = (member.name.clone(), member.name_span.clone());
            responses.insert(name.clone(), Arc::new(Response { name, span, steps }));
        }
        responses
    }

    /// The attempts of a response begin with 0 and have neither gaps nor two answers for one.
    fn check_sequence(&mut self, response: &Member, steps: &[Step]) {
        let name = &response.name;
        if steps.is_empty() && self.findings.is_empty() {
            let message = format!("Response '{name}' has no answer");
            self.wrong("EMPTY_RESPONSE", message, &response.name_span, r#"the first is named "0""#.into());
        }
        let mut next = 0;
        for step in steps {
            let (start, end) = (*step.attempts.start(), *step.attempts.end());
            if start > next {
                let missing =
                    if start == next + 1 { next.to_string() } else { format!("{next}-{}", start - 1) };
                let message =
                    format!("Response '{name}' has no answer for attempt {missing}, but one for {start}");
                let help = "attempts are counted from 0, without gaps".into();
                self.wrong("GAP_IN_SEQUENCE", message, &step.span, help);
            } else if start < next {
                let message = format!("Response '{name}' has two answers for attempt {start}");
                self.wrong("TWO_ANSWERS", message, &step.span, "take one of them out".into());
            }
            next = next.max(end + 1);
        }
    }

    fn step(&mut self, member: &Member) -> Option<Step> {
        let Some(attempts) = attempts(&member.name) else {
            let message = format!("'{}' is not an attempt", member.name);
            let help = r#"name it "0", or "1-3" for several that are answered alike"#.into();
            self.wrong("INVALID_ATTEMPT", message, &member.name_span, help);
            return None;
        };
        let reply = self.reply(member)?;
        Some(Step { attempts, span: member.name_span.clone(), reply })
    }

    fn reply(&mut self, step: &Member) -> Option<Reply> {
        let help = r#"an answer is {"Return": …} or {"Throw": {"Error": …, "Cause": …}}"#;
        match self.object(&step.value, "An answer") {
            [Member { name, value, .. }] if name == "Return" => Some(Reply::Return(value.to_json().into())),
            [Member { name, value, name_span }] if name == "Throw" => {
                let members = self.object(value, "Throw");
                let field = |name: &str| members.iter().find(|member| member.name == name);
                let other = members.iter().find(|member| !["Error", "Cause"].contains(&member.name.as_str()));
                let error = field("Error").map(|error| text(&error.value));
                let cause = field("Cause").map(|cause| text(&cause.value));
                let wrong = match (&error, &cause, other) {
                    (_, _, Some(other)) => format!("Throw has no field '{}'", other.name),
                    (None, ..) => "Throw has no Error".into(),
                    (Some(None), ..) => "The Error is not a string".into(),
                    (_, Some(None), _) => "The Cause is not a string".into(),
                    (Some(Some(error)), ..) => {
                        let cause = cause.flatten().map(Arc::from);
                        return Some(Reply::Throw { error: error.as_str().into(), cause });
                    }
                };
                self.wrong("INVALID_ANSWER", wrong, name_span, help.into());
                None
            }
            _ => {
                let message = format!("Attempt {} has neither one Return nor one Throw", step.name);
                self.wrong("INVALID_ANSWER", message, &step.name_span, help.into());
                None
            }
        }
    }

    /// The members of what must be an object.
    fn object<'a>(&mut self, node: &'a Node, what: &str) -> &'a [Member] {
        match &node.value {
            Value::Object(members) => members,
            Value::Scalar(_) | Value::Array(_) => {
                let help = "see the format of MockConfigFile.json".into();
                self.wrong("NOT_AN_OBJECT", format!("{what} is an object"), &node.span, help);
                &[]
            }
        }
    }

    fn wrong(&mut self, code: &'static str, message: String, span: &Range<usize>, help: String) {
        self.findings.push(error(code, message, span, help));
    }
}

fn error(code: &'static str, message: String, span: &Range<usize>, help: String) -> Finding {
    Finding {
        severity: Severity::Error,
        code,
        message,
        location: None,
        span: span.clone(),
        help: Some(help.into()),
    }
}

/// A string; nothing for other values.
pub(super) fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(text) => serde_json::from_str(text).ok(),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// `"0"` or `"1-3"`.
fn attempts(name: &str) -> Option<RangeInclusive<usize>> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        digits.then(|| text.parse::<usize>().ok()).flatten().filter(|number| *number < usize::MAX)
    };
    let (first, last) = match name.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(name)?, number(name)?),
    };
    (first <= last).then_some(first..=last)
}
