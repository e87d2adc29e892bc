//! Random machines: small, of all eight states, always valid, and often about to fail.

use asl::json::{Json, Object};

use super::dice::Dice;

/// Containers inside containers.
const DEPTH_MAX: usize = 3;
/// States of one container.
const STATES_MAX: usize = 4;

const ERRORS: [&str; 7] = [
    "E1",
    "E2",
    "States.TaskFailed",
    "States.Timeout",
    "States.HeartbeatTimeout",
    "States.DataLimitExceeded",
    "States.IntrinsicFailure",
];
const PATHS: [&str; 10] =
    ["$", "$", "$", "$.a", "$.b", "$.items", "$.items[0]", "$$.State", "$$.Map.Item.Index", "$v"];
const RESOURCES: [&str; 7] = [
    "arn:aws:lambda:us-east-1:000000000000:function:f",
    "arn:aws:states:::lambda:invoke",
    "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "arn:aws:states:::states:startExecution.sync:2",
    "arn:aws:states:us-east-1:000000000000:activity:a",
    "arn:aws:states:us-east-1:000000000000:activity:deleted",
];

/// Some that give a value, some that give none, some that fail.
const EXPRESSIONS: [&str; 9] = [
    "{% $states.input %}",
    "{% $states.input.a %}",
    "{% $states.input.items[0] %}",
    "{% $sum($states.input.items) %}",
    "{% $states.context.State.Name & $string($states.input.b) %}",
    "{% {'a': $random(), 'items': [1..3]} %}",
    "{% $merge([$states.input, {'a': $millis()}]) %}",
    "{% $v %}",
    "{% $states.input.a + 'x' %}",
];

/// The activity among the resources that does not exist.
pub(crate) const DELETED_ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity:deleted";

/// A definition.
pub(crate) fn machine(dice: &mut Dice) -> Json {
    let mut makers = Makers { dice, named: 0 };
    let mut machine = makers.container(0);
    if makers.dice.chance(20) {
        machine.insert("TimeoutSeconds".into(), Json::from(makers.dice.below(100) + 1));
    }
    Json::from(machine)
}

/// Some JSON, often with the members that the paths of the machines ask for.
pub(crate) fn value(dice: &mut Dice) -> Json {
    match dice.below(8) {
        0 => Json::from(dice.below(50) as i64 - 10),
        1 => Json::from("some text"),
        2 => Json::from(()),
        3 => Json::array((0..dice.below(6)).map(|at| Json::from(at as i64)).collect::<Vec<_>>()),
        4 if dice.chance(5) => Json::from("x".repeat(40_000)),
        4 => Json::from("x".repeat(dice.below(300))),
        _ => {
            let items: Vec<Json> = (0..dice.below(60)).map(|at| Json::from(at as i64)).collect();
            let a =
                if dice.chance(50) { Json::from(dice.below(9)) } else { Json::from("2027-01-01T00:00:00Z") };
            let items = if dice.chance(80) { items } else { Vec::new() };
            Json::object([("a", a), ("b", Json::from(dice.chance(50))), ("items", Json::from(items))])
        }
    }
}

struct Makers<'a> {
    dice: &'a mut Dice,
    named: usize,
}

impl Makers<'_> {
    fn container(&mut self, depth: usize) -> Object {
        let count = self.dice.below(STATES_MAX) + 1;
        let names: Vec<String> = (0..count).map(|at| format!("S{}", self.named + at)).collect();
        self.named += count;
        let states: Vec<(String, Json)> = names
            .iter()
            .enumerate()
            .map(|(at, name)| (name.clone(), self.state(&names, names.get(at + 1), depth)))
            .collect();
        let container =
            Json::object([("StartAt", Json::from(names[0].as_str())), ("States", Json::object(states))]);
        container.as_object().expect("it was made as one").clone()
    }

    /// A state that goes on to the next one of its container, so that all of them are reached.
    fn state(&mut self, names: &[String], next: Option<&String>, depth: usize) -> Json {
        let state = self.in_jsonpath(names, next, depth);
        if self.dice.chance(30) { self.in_jsonata(state) } else { Json::from(state) }
    }

    fn in_jsonpath(&mut self, names: &[String], next: Option<&String>, depth: usize) -> Object {
        let mut state = Object::new();
        let kind = self.dice.below(if depth < DEPTH_MAX { 11 } else { 8 });
        let kind = match (kind, next) {
            (0, None) => "Succeed",
            (1, None) => "Fail",
            (0 | 1, Some(_)) => "Choice",
            (2, _) => "Wait",
            (3 | 4, _) => "Pass",
            (5..=7, _) => "Task",
            (8 | 9, _) => "Map",
            _ => "Parallel",
        };
        state.insert("Type".into(), Json::from(kind));
        match kind {
            "Succeed" => self.paths(&mut state),
            "Fail" => {
                state.insert("Error".into(), Json::from(*self.dice.pick(&["E1", "E2"])));
                return state;
            }
            "Choice" => {
                self.choice(&mut state, names, next);
                self.assign(&mut state, depth);
                return state;
            }
            "Wait" => self.wait(&mut state),
            "Pass" => {
                self.template(&mut state, "Parameters", 40);
                if self.dice.chance(30) {
                    state.insert("Result".into(), value(self.dice));
                }
                self.result(&mut state);
            }
            "Task" => {
                self.task(&mut state);
                self.worker(&mut state, names);
            }
            "Map" => {
                let mut processor = self.container(depth + 1);
                if self.dice.chance(30) {
                    let config = Json::object([("Mode", "DISTRIBUTED"), ("ExecutionType", "STANDARD")]);
                    processor.insert("ProcessorConfig".into(), config);
                }
                state.insert("ItemProcessor".into(), Json::from(processor));
                self.map(&mut state);
                self.worker(&mut state, names);
            }
            _ => {
                let branches: Vec<Json> =
                    (0..self.dice.below(3) + 1).map(|_| Json::from(self.container(depth + 1))).collect();
                state.insert("Branches".into(), Json::from(branches));
                self.template(&mut state, "Parameters", 20);
                self.worker(&mut state, names);
            }
        }
        if kind != "Succeed" {
            self.assign(&mut state, depth);
            match next {
                Some(next) => state.insert("Next".into(), Json::from(next.as_str())),
                None => state.insert("End".into(), Json::from(true)),
            };
        }
        state
    }

    /// The same state in the other language, with what it has instead of paths.
    fn in_jsonata(&mut self, state: Object) -> Json {
        let kind = state["Type"].as_str().unwrap_or_default().to_owned();
        let mut out = Object::new();
        out.insert("QueryLanguage".into(), Json::from("JSONata"));
        for (field, value) in &state {
            let value = match &**field {
                "InputPath" | "OutputPath" | "ResultPath" | "ResultSelector" | "Result" => continue,
                "Parameters" => {
                    out.insert("Arguments".into(), self.query());
                    continue;
                }
                "ItemsPath" => {
                    out.insert("Items".into(), Json::from("{% $states.input.items %}"));
                    continue;
                }
                "SecondsPath" | "TimestampPath" => {
                    out.insert(field.trim_end_matches("Path").into(), Json::from("{% $states.input.a %}"));
                    continue;
                }
                "ItemSelector" => Json::object([("a", Json::from("{% $states.context.Map.Item.Value %}"))]),
                "Assign" => {
                    let names = value.as_object().into_iter().flat_map(Object::keys);
                    Json::object(names.map(|name| (name.trim_end_matches(".$").to_owned(), self.query())))
                }
                "Choices" => {
                    let condition =
                        *self.dice.pick(&["{% $states.input.a < 5 %}", "{% $exists($v) %}", "{% 1 %}"]);
                    let next = value.index(0).map_or(Json::Null, |rule| rule["Next"].clone());
                    Json::array([Json::object([("Condition", Json::from(condition)), ("Next", next)])])
                }
                "Catch" => {
                    let catcher = value.index(0).cloned().unwrap_or(Json::Null);
                    let kept = ["ErrorEquals", "Next"].map(|field| (field, catcher[field].clone()));
                    let output = Json::object([("a", Json::from("{% $states.errorOutput.Error %}"))]);
                    Json::array([Json::object(kept.into_iter().chain([("Output", output)]))])
                }
                _ => value.clone(),
            };
            out.insert(field.clone(), value);
        }
        if kind == "Pass" {
            out.shift_remove("Arguments");
        }
        if kind != "Fail" && self.dice.chance(50) {
            out.insert("Output".into(), self.query());
        }
        Json::from(out)
    }

    /// A value with an expression in it.
    fn query(&mut self) -> Json {
        let expression = Json::from(*self.dice.pick(&EXPRESSIONS));
        match self.dice.below(3) {
            0 => expression,
            1 => Json::object([("a", expression), ("items", Json::array([Json::from(1)]))]),
            _ => Json::object([("a", Json::from(1)), ("items", Json::array([Json::from(2), expression]))]),
        }
    }

    fn path(&mut self) -> Json {
        Json::from(*self.dice.pick(&PATHS))
    }

    fn paths(&mut self, state: &mut Object) {
        for field in ["InputPath", "OutputPath"] {
            if self.dice.chance(10) {
                let path = if self.dice.chance(20) { Json::from(()) } else { self.path() };
                state.insert(field.into(), path);
            }
        }
    }

    fn template(&mut self, state: &mut Object, field: &str, percent: usize) {
        if !self.dice.chance(percent) {
            return;
        }
        let call = *self.dice.pick(&[
            "States.Format('{}', $.a)",
            "States.MathRandom(1, 9)",
            "States.StringToJson('{')",
        ]);
        let computed = if self.dice.chance(20) { Json::from(call) } else { self.path() };
        let template = Json::object([
            ("a", value(self.dice)),
            ("b.$", computed),
            ("items", Json::array([Json::from(1), Json::from(2), Json::from(3)])),
        ]);
        state.insert(field.into(), template);
    }

    fn result(&mut self, state: &mut Object) {
        if self.dice.chance(30) {
            let path = *self.dice.pick(&[None, Some("$"), Some("$.result"), Some("$.a.b")]);
            state.insert("ResultPath".into(), Json::from(path));
        }
        self.paths(state);
    }

    /// Outer variables have other names than inner ones.
    fn assign(&mut self, state: &mut Object, depth: usize) {
        if self.dice.chance(20) {
            let name = if depth == 0 { "v.$".to_owned() } else { format!("v{depth}.$") };
            let source = *self.dice.pick(&["$", "$", "$$.State.Name"]);
            state.insert("Assign".into(), Json::object([(name, Json::from(source))]));
        }
    }

    fn choice(&mut self, state: &mut Object, names: &[String], next: Option<&String>) {
        let (operator, operand) = match self.dice.below(3) {
            0 => ("IsPresent", Json::from(true)),
            1 => ("NumericLessThan", Json::from(self.dice.below(9))),
            _ => ("BooleanEquals", Json::from(true)),
        };
        let variable = *self.dice.pick(&["$.a", "$.b", "$v"]);
        let rule = Json::object([
            ("Variable", Json::from(variable)),
            (operator, operand),
            // Any state, also one that was left: machines loop.
            ("Next", Json::from(self.dice.pick(names).as_str())),
        ]);
        state.insert("Choices".into(), Json::array([rule]));
        if let Some(next) = next {
            state.insert("Default".into(), Json::from(next.as_str()));
        }
    }

    fn wait(&mut self, state: &mut Object) {
        let (field, until) = match self.dice.below(5) {
            0 => ("SecondsPath", Json::from("$.a")),
            1 => ("TimestampPath", Json::from("$.a")),
            2 => ("Timestamp", Json::from("2020-01-01T00:00:00Z")),
            _ => ("Seconds", Json::from(self.dice.below(20))),
        };
        state.insert(field.into(), until);
        self.paths(state);
    }

    fn task(&mut self, state: &mut Object) {
        state.insert("Resource".into(), Json::from(*self.dice.pick(&RESOURCES)));
        if self.dice.chance(40) {
            state.insert("TimeoutSeconds".into(), Json::from(self.dice.below(50) + 30));
        }
        if self.dice.chance(30) {
            state.insert("HeartbeatSeconds".into(), Json::from(self.dice.below(20) + 1));
        }
        self.template(state, "Parameters", 30);
    }

    fn map(&mut self, state: &mut Object) {
        if self.dice.chance(80) {
            state.insert("ItemsPath".into(), Json::from("$.items"));
        }
        if self.dice.chance(60) {
            state.insert("MaxConcurrency".into(), Json::from(self.dice.below(4)));
        }
        if self.dice.chance(30) {
            let selector = Json::object([
                ("a.$", Json::from("$$.Map.Item.Value")),
                ("items", Json::array([Json::from(1)])),
            ]);
            state.insert("ItemSelector".into(), selector);
        }
    }

    /// What Task, Parallel and Map have in common.
    fn worker(&mut self, state: &mut Object, names: &[String]) {
        self.template(state, "ResultSelector", 15);
        self.result(state);
        if self.dice.chance(50) {
            let retrier = Json::object([
                ("ErrorEquals", self.errors()),
                ("MaxAttempts", Json::from(self.dice.below(3))),
                ("IntervalSeconds", Json::from(self.dice.below(5) + 1)),
                ("JitterStrategy", Json::from(*self.dice.pick(&["NONE", "FULL"]))),
            ]);
            state.insert("Retry".into(), Json::array([retrier]));
        }
        if self.dice.chance(50) {
            let catcher = Json::object([
                ("ErrorEquals", self.errors()),
                ("Next", Json::from(self.dice.pick(names).as_str())),
                ("ResultPath", Json::from(*self.dice.pick(&["$", "$.error"]))),
            ]);
            state.insert("Catch".into(), Json::array([catcher]));
        }
    }

    fn errors(&mut self) -> Json {
        let error = if self.dice.chance(50) { "States.ALL" } else { *self.dice.pick(&ERRORS) };
        Json::array([Json::from(error)])
    }
}
