//! A case: a machine, a script, and what it expects.
//!
//! The start is the first event of every script. Each entry is one more, at `at_ms` after the start; without it at the
//! moment of the one before, or, for a timer, when it is due:
//!
//! ```text
//! {"event": "timer"}                                             the timer that is due first
//! {"event": "timer", "timer": "0.2", "times": 3}                 this one; three times
//! {"event": "task_taken", "state": "Work", "worker": "w"}        the oldest open task of the state
//! {"event": "task_submitted", "task": "0.1", "output": {}}       this task, be it open or not
//! {"event": "task_succeeded", "state": "Work", "nth": 1, "output_text": "[1, 2]"}
//! {"event": "task_failed", "state": "Work", "error": "E", "cause": "C"}
//! {"event": "task_delivered"|"task_returned"|"heartbeat", "state": "Work"}
//! {"event": "map_run_succeeded", "state": "Work", "output": []}
//! {"event": "map_run_failed", "state": "Work", "error": "E", "cause": "C"}
//! {"event": "stop", "error": "E", "cause": "C"}
//! {"event": "redrive", "token": "t"}
//! {"event": "redrive", "from": "Work", "input": {}, "onto": {"StartAt": "Work", "States": {}}}
//! {"event": "start"}
//! ```

use std::sync::Arc;

use asl::json::{Json, Object};
use asl::machine::Machine;
use asl::{MachineType, parse};
use engine::{Event, Limits, Origin, Redrive, Restart, TaskId, TimerId, Unfit};

use super::run::{Run, Surroundings, ZERO_MS, start};
use super::show::{effect_line, failure_words, history_line, numbered, shown, task_name, timer_name};
use super::timeless::jsonata;

const FIELDS: [&str; 11] = [
    "comment",
    "machine",
    "express",
    "input",
    "input_text",
    "origin",
    "limits",
    "seed",
    "deleted_activities",
    "script",
    "expect",
];

/// A case, read from its file.
pub(crate) struct Case {
    whole: Object,
    machine: Arc<Machine>,
    input: Arc<str>,
    limits: Limits,
    origin: Origin,
    seed: u64,
    surroundings: Surroundings,
    express: bool,
    script: Vec<Json>,
    pub(crate) expect: Option<Json>,
}

impl Case {
    pub(crate) fn read(text: &str) -> Result<Case, String> {
        let json = Json::parse(text).map_err(|error| error.to_string())?;
        let whole = json.as_object().ok_or("a case is an object")?.clone();
        known(&whole, &FIELDS)?;
        let definition = whole.get("machine").ok_or("a case has a 'machine'")?;
        let express = json["express"] == Json::from(true);
        let machine_type = if express { MachineType::Express } else { MachineType::Standard };
        let machine = self::definition(&definition.to_text(), machine_type)?;
        let input = match (json.get("input"), json["input_text"].as_str()) {
            (Some(input), None) => input.to_text().into(),
            (None, Some(text)) => text.into(),
            (None, None) => "{}".into(),
            (Some(_), Some(_)) => return Err("'input' or 'input_text', not both".into()),
        };
        let deleted = json["deleted_activities"].as_array().unwrap_or_default();
        let deleted_activities = deleted.iter().filter_map(|arn| arn.as_str().map(str::to_owned)).collect();
        Ok(Case {
            machine: Arc::new(machine),
            input,
            limits: limits(&json["limits"])?,
            origin: origin(&json["origin"])?,
            seed: json["seed"].as_i64().unwrap_or_default() as u64,
            surroundings: Surroundings { deleted_activities },
            express,
            script: json["script"].as_array().unwrap_or_default().to_vec(),
            expect: json.get("expect").cloned(),
            whole,
        })
    }

    /// The case with another expectation.
    pub(crate) fn with(&self, expect: Json) -> Json {
        let mut whole = self.whole.clone();
        whole.insert("expect".into(), expect);
        Json::from(whole)
    }

    /// Plays the script; gives what `expect` would say.
    pub(crate) fn play(&self) -> Result<Json, String> {
        let mut run = Run::new(self.machine.clone(), self.limits, self.seed, &self.surroundings);
        let mut trace = Vec::new();
        let begun = start(self.input.clone(), self.express, self.origin.clone());
        event(&mut run, begun, "start", &mut trace)?;
        for entry in &self.script {
            let fields = entry.as_object().ok_or("an entry of the script is an object")?;
            for _ in 0..entry["times"].as_i64().unwrap_or(1) {
                self.entry(&mut run, entry, fields, &mut trace).map_err(|why| format!("{entry}: {why}"))?;
            }
        }
        let expect = outcome(&run, trace);
        run.finish()?;
        Ok(expect)
    }

    fn entry(
        &self,
        run: &mut Run<'_>,
        entry: &Json,
        fields: &Object,
        trace: &mut Vec<String>,
    ) -> Result<(), String> {
        let kind = entry["event"].as_str().ok_or("it has no 'event'")?;
        let text = |name: &str| entry[name].as_str().map(Arc::<str>::from);
        let output = || match (entry.get("output"), text("output_text")) {
            (Some(output), None) => Ok(output.to_text().into()),
            (None, Some(text)) => Ok(text),
            _ => Err("it has 'output' or 'output_text'"),
        };
        let common: &[&str] = match kind {
            "timer" => &["timer"],
            "task_taken" => &["worker"],
            "task_succeeded" | "task_submitted" | "map_run_succeeded" => &["output", "output_text"],
            "task_failed" | "map_run_failed" | "stop" => &["error", "cause"],
            "redrive" => &["token", "from", "input", "onto"],
            _ => &[],
        };
        known(fields, &[common, &["event", "at_ms", "times", "task", "state", "nth"]].concat())?;
        let mut due_ms = None;
        let (made, words) = match kind {
            "start" => (start(self.input.clone(), self.express, self.origin.clone()), String::new()),
            "expired" => (Event::Expired, String::new()),
            "stop" => {
                let failure = engine::Failure { error: text("error"), cause: text("cause") };
                let words = failure_words(&failure);
                (Event::Stop { error: failure.error, cause: failure.cause }, words)
            }
            "redrive" => match Self::redrive(run, entry)? {
                Ok((redrive, words)) => (Event::Redrive(Box::new(redrive)), words),
                Err(unfit) => {
                    trace.push(format!("> {} redrive unfit: {}", run.now_ms - ZERO_MS, unfit.0));
                    return Ok(());
                }
            },
            "timer" => {
                let timer = match entry["timer"].as_str() {
                    Some(name) => TimerId(numbered(name).ok_or("a timer is 'frame.number'")?),
                    None => run.next_timer().ok_or("no timer is set")?.0,
                };
                due_ms = run.due_ms(timer);
                (Event::Timer(timer), format!(" {}", timer_name(timer)))
            }
            _ => {
                let task = Self::task(run, entry)?;
                let name = task_name(task);
                match kind {
                    "task_taken" => {
                        let worker = text("worker");
                        let words = worker.as_ref().map(|worker| format!(" worker={worker}"));
                        (Event::TaskTaken { task, worker }, format!(" {name}{}", words.unwrap_or_default()))
                    }
                    "task_delivered" => (Event::TaskDelivered(task), format!(" {name}")),
                    "task_returned" => (Event::TaskReturned(task), format!(" {name}")),
                    "heartbeat" => (Event::Heartbeat(task), format!(" {name}")),
                    "task_submitted" => {
                        let output = output()?;
                        let words = format!(" {name} output={}", shown(&output));
                        (Event::TaskSubmitted { task, output }, words)
                    }
                    "task_succeeded" => {
                        let output = output()?;
                        let words = format!(" {name} output={}", shown(&output));
                        (Event::TaskSucceeded { task, output }, words)
                    }
                    "task_failed" => {
                        let failure = engine::Failure { error: text("error"), cause: text("cause") };
                        let words = format!(" {name}{}", failure_words(&failure));
                        (Event::TaskFailed { task, error: failure.error, cause: failure.cause }, words)
                    }
                    "map_run_succeeded" => {
                        let output = output()?;
                        let words = format!(" {name} output={}", shown(&output));
                        (Event::MapRunSucceeded { task, output }, words)
                    }
                    "map_run_failed" => {
                        let failure = engine::Failure { error: text("error"), cause: text("cause") };
                        let words = format!(" {name}{}", failure_words(&failure));
                        (Event::MapRunFailed { task, failure }, words)
                    }
                    _ => return Err(format!("there is no event '{kind}'")),
                }
            }
        };
        let at_ms = entry["at_ms"].as_i64().map(|at_ms| ZERO_MS + at_ms);
        run.now_ms = at_ms.or(due_ms).unwrap_or(run.now_ms).max(run.now_ms);
        event(run, made, &format!("{kind}{words}"), trace)
    }

    /// A redrive, and the machine that it goes on with.
    fn redrive(run: &mut Run<'_>, entry: &Json) -> Result<Result<(Redrive, String), Unfit>, String> {
        let text = |name: &str| entry[name].as_str().map(Arc::<str>::from);
        let token = text("token");
        let mut words = token.as_ref().map(|token| format!(" token={token}")).unwrap_or_default();
        let onto = entry
            .get("onto")
            .map(|onto| definition(&onto.to_text(), MachineType::Standard))
            .transpose()?
            .map(Arc::new);
        let input = entry.get("input").map(|input| Arc::<str>::from(input.to_text()));
        if onto.is_none() && entry.get("from").is_none() {
            return Ok(Ok((Redrive { token, graft: None }, words)));
        }
        let restart = text("from").map(|state| Restart { state, input });
        words.extend(restart.iter().map(|restart| format!(" from={}", restart.state)));
        let graft = run.graft(onto, restart);
        Ok(graft.map(|graft| (Redrive { token, graft: Some(graft) }, words)))
    }

    /// The task that an entry means: by its name, or an open one of a state, or the only one that is open.
    fn task(run: &Run<'_>, entry: &Json) -> Result<TaskId, String> {
        if let Some(name) = entry["task"].as_str() {
            return numbered(name).map(TaskId).ok_or("a task is 'frame.number'".into());
        }
        let open = run.tasks.iter().filter_map(|task| run.live.task(*task));
        let tasks: Vec<TaskId> = match entry["state"].as_str() {
            Some(name) => {
                let state = run.machine.find(name).ok_or_else(|| format!("no state is called '{name}'"))?;
                open.filter(|task| task.state == state).map(|task| task.id).collect()
            }
            None => open.map(|task| task.id).collect(),
        };
        let nth =
            usize::try_from(entry["nth"].as_i64().unwrap_or_default()).map_err(|error| error.to_string())?;
        tasks.get(nth).copied().ok_or_else(|| format!("only {} tasks are open there", tasks.len()))
    }
}

/// A definition, ready to run.
fn definition(text: &str, machine_type: MachineType) -> Result<Machine, String> {
    parse(text, machine_type, &jsonata()).map_err(|diagnostics| {
        let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

/// One event, with its lines.
fn event(run: &mut Run<'_>, event: Event, words: &str, trace: &mut Vec<String>) -> Result<(), String> {
    let line = format!("> {} {words}", run.now_ms - ZERO_MS);
    match run.apply(event)? {
        Err(rejected) => trace.push(format!("{line} rejected: {rejected:?}")),
        Ok(transition) => {
            trace.push(line);
            trace.extend(transition.history.iter().map(|event| history_line(event, &|id| run.text(id))));
            trace.extend(transition.effects.iter().map(|effect| effect_line(effect, ZERO_MS)));
        }
    }
    Ok(())
}

/// What `expect` says of the execution at the end of the script.
fn outcome(run: &Run<'_>, trace: Vec<String>) -> Json {
    let mut members = vec![("status", Json::from(run.live.status.as_str()))];
    if let Some(output) = run.live.output {
        let text = run.text(output);
        match Json::parse(&text) {
            Ok(value) if value.to_text() == *text => members.push(("output", value)),
            _ => members.push(("output_text", Json::from(text))),
        }
    }
    let failure = run.live.failure.clone().unwrap_or_default();
    members.extend(failure.error.map(|error| ("error", Json::from(error))));
    members.extend(failure.cause.map(|cause| ("cause", Json::from(cause))));
    if let Some(stopped_ms) = run.live.stopped_ms {
        members.push(("stopped_ms", Json::from(stopped_ms - ZERO_MS)));
    }
    members.push(("trace", Json::array(trace)));
    Json::object(members)
}

/// What the execution is started through: `{"version": ARN, "alias": ARN}`.
fn origin(json: &Json) -> Result<Origin, String> {
    let Some(given) = json.as_object() else { return Ok(Origin::default()) };
    known(given, &["version", "alias"])?;
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    Ok(Origin { version_arn: text("version"), alias_arn: text("alias"), ..Origin::default() })
}

fn limits(json: &Json) -> Result<Limits, String> {
    let Some(given) = json.as_object() else { return Ok(Limits::STRICT) };
    known(
        given,
        &[
            "payload_bytes_max",
            "variables_bytes_max",
            "history_events_max",
            "step_transitions_max",
            "step_bytes_max",
            "waited_second_ms",
        ],
    )?;
    let or = |name: &str, strict: u64| json[name].as_i64().map_or(strict, |given| given as u64);
    let strict = Limits::STRICT;
    Ok(Limits {
        payload_bytes_max: or("payload_bytes_max", strict.payload_bytes_max as u64) as usize,
        variables_bytes_max: or("variables_bytes_max", strict.variables_bytes_max as u64) as usize,
        history_events_max: or("history_events_max", strict.history_events_max),
        step_transitions_max: or("step_transitions_max", strict.step_transitions_max.into()) as u32,
        step_bytes_max: or("step_bytes_max", strict.step_bytes_max as u64) as usize,
        waited_second_ms: or("waited_second_ms", strict.waited_second_ms.into()) as u32,
        ..strict
    })
}

/// A misspelt field must not pass for an absent one.
fn known(object: &Object, names: &[&str]) -> Result<(), String> {
    match object.keys().find(|name| !names.contains(&&***name)) {
        Some(name) => Err(format!("field '{name}' is not one of {names:?}")),
        None => Ok(()),
    }
}
