//! Which variables each state reads, as DescribeStateMachine tells it.
//!
//! One walk over everything in a state that may hold a path. Every state is taken apart by name and in full, so that a
//! field added to it later does not compile until this file says whether it may name a variable. It refuses to know
//! where variables are assigned: a name that nobody assigns is still a reference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::jsonata::{self, Expression, Program};
use crate::machine::{Body, Machine, Output, Payload, Quantity, Selection};
use crate::path::Path;
use crate::retry::Catcher;
use crate::states::choice::{Choice, ChoiceRule, Condition, Operand, Test, When};
use crate::states::fail::{Fail, Message};
use crate::states::map::distributed::{Distributed, ItemBatcher, ItemReader, ResultWriter};
use crate::states::map::{Items, Map, Percentage};
use crate::states::parallel::Parallel;
use crate::states::pass::Pass;
use crate::states::succeed::Succeed;
use crate::states::task::Task;
use crate::states::wait::{Until, Wait};
use crate::states::work::Work;
use crate::template::Template;

/// The variables that each state reads, of every nesting level; states that read none are left out.
pub fn references(machine: &Machine) -> BTreeMap<Arc<str>, BTreeSet<Arc<str>>> {
    let of_state = |body: &Body| {
        let mut names = Names::default();
        names.body(body);
        names.0
    };
    let all = machine.states.iter().map(|state| (state.name.clone(), of_state(&state.body)));
    all.filter(|(_, names)| !names.is_empty()).collect()
}

/// The variables that one payload reads.
pub fn payload_references(payload: &Payload) -> BTreeSet<Arc<str>> {
    let mut names = Names::default();
    names.payload(payload);
    names.0
}

/// The names found so far.
#[derive(Default)]
struct Names(BTreeSet<Arc<str>>);

impl Names {
    fn body(&mut self, body: &Body) {
        match body {
            Body::Pass(state) => self.pass(state),
            Body::Task(state) => self.task(state),
            Body::Choice(state) => self.choice(state),
            Body::Wait(state) => self.wait(state),
            Body::Succeed(Succeed { input, output }) => {
                self.selection(input);
                self.output(output);
            }
            Body::Fail(Fail { error, cause }) => self.messages([error, cause]),
            Body::Parallel(state) => self.parallel(state),
            Body::Map(state) => self.map(state),
        }
    }

    fn pass(&mut self, state: &Pass) {
        let Pass { input, parameters, result: _, result_path: _, assign, output, next: _ } = state;
        self.selection(input);
        parameters.iter().for_each(|template| self.template(template));
        self.payloads([assign]);
        self.output(output);
    }

    fn task(&mut self, state: &Task) {
        let Task { work, resource: _, parameters, credentials, timeout, heartbeat } = state;
        self.work(work);
        self.payloads([parameters, credentials]);
        self.quantities([timeout, heartbeat]);
    }

    fn choice(&mut self, state: &Choice) {
        let Choice { input, rules, default: _, assign, output } = state;
        self.selection(input);
        self.output(output);
        self.payloads([assign]);
        for ChoiceRule { when, next: _, assign, output } in rules {
            match when {
                When::Compare(condition) => self.condition(condition),
                When::Fixed(_) => {}
                When::Query(expression) => self.expression(expression),
            }
            self.payloads([assign]);
            output.iter().for_each(|output| self.query(output));
        }
    }

    fn wait(&mut self, state: &Wait) {
        let Wait { input, until, assign, output, next: _ } = state;
        self.selection(input);
        self.output(output);
        self.payloads([assign]);
        match until {
            Until::SecondsPath(path) | Until::TimestampPath(path) => self.path(path),
            Until::SecondsQuery(expression) | Until::TimestampQuery(expression) => {
                self.expression(expression);
            }
            Until::Seconds(_) | Until::Timestamp(_) => {}
        }
    }

    fn parallel(&mut self, state: &Parallel) {
        let Parallel { work, parameters, branches: _ } = state;
        self.work(work);
        self.payloads([parameters]);
    }

    fn map(&mut self, state: &Map) {
        let Map {
            work,
            in_jsonata: _,
            items,
            item_selector,
            processor: _,
            max_concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
            distributed,
        } = state;
        self.work(work);
        match items {
            Some(Items::Path(path)) => self.path(path),
            Some(Items::Query(query)) => self.query(query),
            None => {}
        }
        item_selector.iter().for_each(|selector| self.payload(&selector.template));
        self.quantities([max_concurrency, tolerated_failure_count]);
        if let Some(Percentage::Found(Quantity::Path(path))) = tolerated_failure_percentage {
            self.path(path);
        }
        if let Some(Percentage::Found(Quantity::Query(expression))) = tolerated_failure_percentage {
            self.expression(expression);
        }
        distributed.iter().for_each(|distributed| self.distributed(distributed));
    }

    fn distributed(&mut self, distributed: &Distributed) {
        let Distributed { express: _, label: _, reader, batcher, writer } = distributed;
        if let Some(ItemReader { source: _, arguments, format: _, max_items }) = reader {
            self.payloads([arguments]);
            self.quantities([max_items]);
        }
        if let Some(ItemBatcher { items_max, bytes_max, input }) = batcher {
            self.quantities([items_max, bytes_max]);
            self.payloads([input]);
        }
        if let Some(ResultWriter { target, transformation: _, lines: _ }) = writer {
            self.payloads([target]);
        }
    }

    fn work(&mut self, work: &Work) {
        let Work { input, result_selector, result_path: _, assign, output, retriers: _, catchers, next: _ } =
            work;
        self.selection(input);
        result_selector.iter().for_each(|template| self.template(template));
        self.payloads([assign]);
        self.output(output);
        self.catchers(catchers);
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::And(rules) | Condition::Or(rules) => {
                rules.iter().for_each(|rule| self.condition(rule));
            }
            Condition::Not(rule) => self.condition(rule),
            Condition::Compare { variable, test } => {
                self.path(variable);
                if let Test::Order(_, _, Operand::Path(path)) = test {
                    self.path(path);
                }
            }
        }
    }

    fn catchers(&mut self, catchers: &[Catcher]) {
        for Catcher { errors: _, next: _, result_path: _, output, assign } in catchers {
            self.payloads([assign]);
            output.iter().for_each(|output| self.query(output));
        }
    }

    fn messages<const N: usize>(&mut self, messages: [&Option<Message>; N]) {
        for message in messages.into_iter().flatten() {
            match message {
                Message::Fixed(_) => {}
                Message::Path(path) => self.path(path),
                Message::Intrinsic(call) => call.paths().into_iter().for_each(|path| self.path(path)),
                Message::Query(expression) => self.expression(expression),
            }
        }
    }

    fn selection(&mut self, selection: &Selection) {
        if let Selection::Path(path) = selection {
            self.path(path);
        }
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Path(selection) => self.selection(selection),
            Output::Query(query) => self.query(query),
        }
    }

    fn quantities<const N: usize>(&mut self, quantities: [&Option<Quantity>; N]) {
        for quantity in quantities.into_iter().flatten() {
            match quantity {
                Quantity::Fixed(_) => {}
                Quantity::Path(path) => self.path(path),
                Quantity::Query(expression) => self.expression(expression),
            }
        }
    }

    fn payloads<const N: usize>(&mut self, payloads: [&Option<Payload>; N]) {
        payloads.into_iter().flatten().for_each(|payload| self.payload(payload));
    }

    fn payload(&mut self, payload: &Payload) {
        match payload {
            Payload::JsonPath(template) => self.template(template),
            Payload::Jsonata(query) => self.query(query),
        }
    }

    fn template(&mut self, template: &Template) {
        template.paths().into_iter().for_each(|path| self.path(path));
    }

    fn query(&mut self, query: &jsonata::Template) {
        query.programs().into_iter().for_each(|program| self.program(program));
    }

    fn expression(&mut self, expression: &Expression) {
        self.program(expression.program());
    }

    fn program(&mut self, program: &Program) {
        self.0.extend(program.variables.iter().cloned());
    }

    fn path(&mut self, path: &Path) {
        self.0.extend(path.variable().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use crate::{MachineType, parse};

    fn jsonata() -> Arc<dyn jsonata::Jsonata> {
        Arc::new(jsonata::NoJsonata)
    }

    /// A machine of the state `S`, followed by `N`.
    fn of_state(state: &str) -> String {
        let text = format!(
            r#"{{"StartAt": "S", "States": {{"S": {state}, "N": {{"Type": "Succeed", "OutputPath": "$"}}}}}}"#
        );
        let machine = parse(&text, MachineType::Standard, &jsonata())
            .unwrap_or_else(|wrong| panic!("{state}\n{wrong:?}"));
        let members = references(&machine).into_iter().map(|(state, names)| {
            let names = Json::array(names.iter().map(|name| Json::from(&**name)));
            (state.to_string(), names)
        });
        members.map(|(state, names)| format!("{state}{names}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_field_that_may_hold_a_path() {
        for (state, want) in [
            (r#"{"Type": "Pass", "Result": {"a.$": "$no"}, "Parameters": {"a": "$no"}, "Next": "N"}"#, ""),
            (
                r#"{"Type": "Pass", "InputPath": "$i.x", "Parameters": {"a": [{"b.$": "$p[0]"}]},
                    "Assign": {"v.$": "States.MathAdd(States.MathAdd($a, 1), $.b)"}, "OutputPath": "$o", "Next": "N"}"#,
                r#"S["a","i","o","p"]"#,
            ),
            (
                r#"{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSecondsPath": "$t",
                    "HeartbeatSecondsPath": "$h", "Credentials": {"RoleArn.$": "$r"}, "ResultSelector": {"a.$": "$s"},
                    "Catch": [{"ErrorEquals": ["E"], "Assign": {"x.$": "$c"}, "Next": "N"}], "Next": "N"}"#,
                r#"S["c","h","r","s","t"]"#,
            ),
            (
                r#"{"Type": "Choice", "Choices": [
                    {"And": [{"Variable": "$a", "IsNull": true}, {"Not": {"Variable": "$b.c", "IsString": true}}],
                     "Assign": {"x.$": "$r"}, "Next": "N"},
                    {"Variable": "$.x", "NumericLessThanPath": "$z", "Next": "N"}], "Assign": {"y.$": "$s"}, "Default": "N"}"#,
                r#"S["a","b","r","s","z"]"#,
            ),
            (r#"{"Type": "Wait", "SecondsPath": "$s", "Next": "N"}"#, r#"S["s"]"#),
            (r#"{"Type": "Wait", "TimestampPath": "$t.x", "Next": "N"}"#, r#"S["t"]"#),
            (
                r#"{"Type": "Parallel", "Parameters": {"a.$": "$p"}, "ResultSelector": {"a.$": "$s"}, "Next": "N",
                    "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "InputPath": "$b", "End": true}}}]}"#,
                r#"B["b"] S["p","s"]"#,
            ),
            (
                r#"{"Type": "Map", "ItemsPath": "$i", "MaxConcurrencyPath": "$m", "ItemSelector": {"a.$": "$s"},
                    "ToleratedFailureCountPath": "$c", "Next": "N", "ItemProcessor": {"StartAt": "F", "States": {"F":
                    {"Type": "Fail", "ErrorPath": "$e", "CausePath": "States.Format('{}', $f)"}}}}"#,
                r#"F["e","f"] S["c","i","m","s"]"#,
            ),
        ] {
            assert_eq!(of_state(state), want, "{state}");
        }
    }
}
