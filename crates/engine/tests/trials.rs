//! States tried alone: a table of trials and what each comes to.
//!
//! An entry of `trials.json` has a `comment`, a `state`, perhaps `input`, `variables`, `context`, `retries`,
//! `items`, `failed_iterations` and a `mock` (`{"result": …}` or `{"error": …, "cause": …}`), and what it `expect`s: the status, what
//! was seen on the way, and how the state was left. Besides, redoing the changes of a trial rebuilds its execution, as of any
//! other.

use std::sync::Arc;

use asl::json::Json;
use asl::machine::{Body, StateId};
use asl::{LONE_STATE, parse_state};
use engine::{
    Effect, Event, Execution, Failure, Limits, Mock, Moment, Seen, Start, TaskId, Transition, Trial, World,
    apply,
};

/// 2026-01-01T00:00:00Z.
const NOW_MS: i64 = 1_767_225_600_000;

struct Alone(Trial);

impl World for Alone {
    fn token(&self, _: TaskId) -> String {
        "token".into()
    }

    fn has_activity(&self, _: &str) -> bool {
        true
    }

    fn trial(&self) -> Option<&Trial> {
        Some(&self.0)
    }
}

#[test]
fn every_trial_goes_as_it_is_written() {
    let table = Json::parse(include_str!("trials.json")).expect("the table is JSON");
    let mut problems = Vec::new();
    for entry in table.as_array().expect("the table is an array") {
        match play(entry) {
            Ok(happened) if happened == entry["expect"] => {}
            Ok(happened) => problems
                .push(format!("{}\nexpected: {}\nhappened: {happened}", entry["comment"], entry["expect"])),
            Err(why) => problems.push(format!("{}\n{why}", entry["comment"])),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

fn play(entry: &Json) -> Result<Json, String> {
    let jsonata: Arc<dyn asl::jsonata::Jsonata> = Arc::new(jsonata::Evaluator::new(jsonata::Limits::STRICT));
    let machine = parse_state(&entry["state"].to_text(), &jsonata).map_err(|wrong| format!("{wrong:?}"))?;
    let id = machine.find(LONE_STATE).ok_or("the state is not there")?;
    let (trial, mut mock) = trial(id, entry, matches!(machine.state(id).body, Body::Task(_)));
    let world = Alone(trial);
    let (mut live, mut redone) = (Execution::new(), Execution::new());
    let mut next = Some(start(entry));
    while let Some(event) = next.take() {
        let at = Moment { now_ms: NOW_MS, seed: 1, world: &world };
        let transition =
            apply(&machine, &mut live, event, at, Limits::STRICT).map_err(|no| format!("{no:?}"))?;
        next = mock.take().and_then(|mock| answer(&transition, mock));
        transition.changes.into_iter().for_each(|change| redone.redo(change));
        if live.checkpoint() != redone.checkpoint() {
            return Err("what was redone is not what was decided".into());
        }
    }
    let seen = world.0.seen().clone();
    let next_name =
        seen.left.as_ref().and_then(|left| left.next).map(|next| machine.state(next).name.clone());
    Ok(shown(&live, &seen, next_name))
}

/// The trial of an entry, and the mock that is not the trial's own business.
fn trial(state: StateId, entry: &Json, is_task: bool) -> (Trial, Option<Mock>) {
    let mut trial = Trial::of(state);
    for (name, value) in entry["variables"].as_object().into_iter().flatten() {
        trial.variables.push((name.clone(), value.to_text().into()));
    }
    trial.context = entry.get("context").cloned();
    trial.retries = entry["retries"].as_i64().unwrap_or_default() as u32;
    trial.failed_iterations = entry["failed_iterations"].as_i64().map(|failed| failed as u64);
    trial.items = entry.get("items").cloned();
    let text = |name: &str| entry["mock"][name].as_str().map(Arc::from);
    let mock = entry.get("mock").map(|mock| match mock.get("result") {
        Some(result) => Mock::Result(result.to_text().into()),
        None => Mock::Failure(Failure { error: text("error"), cause: text("cause") }),
    });
    if is_task {
        return (trial, mock);
    }
    trial.mock = mock;
    (trial, None)
}

fn start(entry: &Json) -> Event {
    Event::Start(Box::new(Start {
        arn: "arn:aws:states:us-east-1:000000000000:express:machine:run".into(),
        name: "run".into(),
        machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:machine".into(),
        machine_name: "machine".into(),
        role_arn: String::new(),
        region: "us-east-1".into(),
        input: entry.get("input").map_or_else(|| "{}".into(), Json::to_text).into(),
        trace_header: None,
        express: true,
        log: None,
        origin: engine::Origin::default(),
        child: None,
    }))
}

/// A mock answers the task that is out.
fn answer(transition: &Transition, mock: Mock) -> Option<Event> {
    let task = transition.effects.iter().find_map(|effect| match effect {
        Effect::Call(task) | Effect::Offer { task, .. } => Some(*task),
        _ => None,
    })?;
    Some(match mock {
        Mock::Result(output) => Event::TaskSucceeded { task, output },
        Mock::Failure(Failure { error, cause }) => Event::TaskFailed { task, error, cause },
    })
}

fn shown(live: &Execution, seen: &Seen, next: Option<Arc<str>>) -> Json {
    let value = |text: &str| Json::parse(text).unwrap_or_default();
    let words = |failure: &Failure| {
        Json::array([Json::from(failure.error.clone()), Json::from(failure.cause.clone())])
    };
    let texts = seen.texts.iter().map(|(station, text)| (format!("{station:?}"), value(text)));
    let mut members = vec![("status", Json::from(live.status.as_str())), ("seen", Json::object(texts))];
    if let Some(numbers) = &seen.map {
        members.push(("map", Json::from(format!("{numbers:?}"))));
    }
    if let Some(failure) = live.failure.as_ref().or(seen.failure.as_ref()) {
        members.push(("failure", words(failure)));
    }
    if let Some((retrier, delay_ms)) = seen.retry {
        members.push(("retry", Json::array([Json::from(retrier), Json::from(delay_ms)])));
    }
    if let Some(catcher) = seen.caught {
        members.push(("caught", Json::from(catcher)));
    }
    if let Some(left) = &seen.left {
        members.push(("output", value(&left.output)));
        if let Some(next) = next {
            members.push(("next", Json::from(next)));
        }
        if !left.variables.is_empty() {
            let variables = left.variables.iter().map(|(name, text)| (name.clone(), value(text)));
            members.push(("variables", Json::object(variables)));
        }
    }
    Json::object(members)
}
