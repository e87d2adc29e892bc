//! How a trace reads. Three kinds of lines:
//!
//! ```text
//! > 1000 task_succeeded 0.1 output={'a':1}      an event, the milliseconds since the start before it
//! 5(4) TaskStateExited name=X output={'a':1}    a history event: its id, the one it follows, its type and details
//! ! set timer 0.2 at 1000                       an effect
//! ```
//!
//! Tasks and timers are `frame.number`; those of the execution itself have the frame `x`. The two kinds of quotes are
//! swapped in JSON texts (not in sentences): so a trace inside a JSON file needs no backslashes, and nothing is lost. ARNs are cut to
//! what is theirs.

use std::sync::Arc;

use engine::{Effect, Failure, HistoryEvent, HistoryKind, PayloadId, TaskEvent, TaskId, TimerId};

/// Longer texts are cut: cases about sizes need their length, not their letters.
const TEXT_CHARS_MAX: usize = 500;

/// A JSON text as a trace shows it.
pub(crate) fn shown(text: &str) -> String {
    if text.chars().count() > TEXT_CHARS_MAX {
        let start: String = text.chars().take(40).collect();
        return format!("{}… ({} bytes)", swapped(&start), text.len());
    }
    swapped(text)
}

fn swapped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            '\'' => '"',
            c => c,
        })
        .collect()
}

/// The inverse of what [`task_name`] shows.
pub(crate) fn numbered(text: &str) -> Option<u64> {
    let (frame, number) = text.split_once('.')?;
    let frame = if frame == "x" { u32::MAX } else { frame.parse().ok()? };
    Some(u64::from(frame) << 32 | u64::from(number.parse::<u32>().ok()?))
}

fn number_name(id: u64) -> String {
    match (id >> 32) as u32 {
        u32::MAX => format!("x.{}", id as u32),
        frame => format!("{frame}.{}", id as u32),
    }
}

pub(crate) fn task_name(task: TaskId) -> String {
    number_name(task.0)
}

pub(crate) fn timer_name(timer: TimerId) -> String {
    number_name(timer.0)
}

/// An ARN without what all ARNs of the tests share.
fn short(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}

/// An effect; `zero_ms` is when the execution started.
pub(crate) fn effect_line(effect: &Effect, zero_ms: i64) -> String {
    match effect {
        Effect::SetTimer(timer) => {
            format!("! set timer {} at {}", timer_name(timer.id), timer.due_ms.saturating_sub(zero_ms))
        }
        Effect::ClearTimer(timer) => format!("! clear timer {}", timer_name(timer.id)),
        Effect::Offer { task, activity } => format!("! offer {} to {}", task_name(*task), short(activity)),
        Effect::Withdraw { task, activity } => {
            format!("! withdraw {} from {}", task_name(*task), short(activity))
        }
        Effect::Call(task) => format!("! call {}", task_name(*task)),
        Effect::Settle(task) => format!("! settle {}", task_name(*task)),
    }
}

/// A history event; `text` gives the texts of payloads.
pub(crate) fn history_line(event: &HistoryEvent, text: &dyn Fn(PayloadId) -> Arc<str>) -> String {
    let json = |id: &PayloadId| shown(&text(*id));
    let what = match &event.kind {
        HistoryKind::ExecutionStarted { input, role_arn, through } => {
            let part = |word: &str, arn: &Option<Arc<str>>| {
                arn.as_ref().map(|arn| format!(" {word}={}", short(arn))).unwrap_or_default()
            };
            let (version, alias) = (part("version", &through.version_arn), part("alias", &through.alias_arn));
            format!("ExecutionStarted input={} role={}{version}{alias}", json(input), short(role_arn))
        }
        HistoryKind::ExecutionSucceeded { output } => format!("ExecutionSucceeded output={}", json(output)),
        HistoryKind::ExecutionFailed(failure) => format!("ExecutionFailed{}", failure_words(failure)),
        HistoryKind::ExecutionAborted(failure) => format!("ExecutionAborted{}", failure_words(failure)),
        HistoryKind::ExecutionTimedOut(failure) => format!("ExecutionTimedOut{}", failure_words(failure)),
        HistoryKind::ExecutionRedriven { count, from, onto } => {
            let from = from.as_ref().map(|from| format!(" from={from}")).unwrap_or_default();
            let onto = onto.as_ref().map(|onto| format!(" onto={onto}")).unwrap_or_default();
            format!("ExecutionRedriven count={count}{from}{onto}")
        }
        HistoryKind::StateEntered { state, name, input } => {
            format!("{state:?}StateEntered name={name} input={}", json(input))
        }
        HistoryKind::StateExited { state, name, output, assigned } => {
            let assigned: String =
                assigned.iter().map(|(variable, value)| format!(" ${variable}={}", json(value))).collect();
            format!("{state:?}StateExited name={name} output={}{assigned}", json(output))
        }
        HistoryKind::StateAborted(state) => format!("{state:?}StateAborted"),
        HistoryKind::EvaluationFailed { failure, location, state } => {
            let location =
                location.as_ref().map(|location| format!(" location={location}")).unwrap_or_default();
            format!("EvaluationFailed state={state}{location}{}", failure_words(failure))
        }
        HistoryKind::ParallelStateStarted => "ParallelStateStarted".into(),
        HistoryKind::ParallelStateSucceeded => "ParallelStateSucceeded".into(),
        HistoryKind::ParallelStateFailed => "ParallelStateFailed".into(),
        HistoryKind::MapStateStarted { length } => format!("MapStateStarted length={length}"),
        HistoryKind::MapStateSucceeded => "MapStateSucceeded".into(),
        HistoryKind::MapStateFailed => "MapStateFailed".into(),
        HistoryKind::MapRunStarted { arn } => format!("MapRunStarted arn={}", short(arn)),
        HistoryKind::MapRunRedriven { arn, count } => {
            format!("MapRunRedriven arn={} count={count}", short(arn))
        }
        HistoryKind::MapRunSucceeded => "MapRunSucceeded".into(),
        HistoryKind::MapRunFailed(failure) => format!("MapRunFailed{}", failure_words(failure)),
        HistoryKind::MapIterationStarted { name, index } => iteration("Started", name, *index),
        HistoryKind::MapIterationSucceeded { name, index } => iteration("Succeeded", name, *index),
        HistoryKind::MapIterationFailed { name, index } => iteration("Failed", name, *index),
        HistoryKind::MapIterationAborted { name, index } => iteration("Aborted", name, *index),
        HistoryKind::LambdaFunction(event) => format!("LambdaFunction{}", task_words(event, &json)),
        HistoryKind::Activity(event) => format!("Activity{}", task_words(event, &json)),
        HistoryKind::Task { service, resource, event } => {
            format!("Task{} by={service}:{resource}", task_words(event, &json))
        }
    };
    format!("{}({}) {what}", event.id, event.previous)
}

fn iteration(how: &str, name: &str, index: u32) -> String {
    format!("MapIteration{how} name={name} index={index}")
}

fn task_words(event: &TaskEvent, json: &dyn Fn(&PayloadId) -> String) -> String {
    match event {
        TaskEvent::Scheduled { resource, region, input, timeout_seconds, heartbeat_seconds, credentials } => {
            let seconds = |name: &str, seconds: &Option<u64>| {
                seconds.map(|seconds| format!(" {name}={seconds}")).unwrap_or_default()
            };
            let credentials = credentials.as_ref().map(|role| format!(" credentials={}", short(role)));
            format!(
                "Scheduled resource={} region={region} input={}{}{}{}",
                short(resource),
                json(input),
                seconds("timeout", timeout_seconds),
                seconds("heartbeat", heartbeat_seconds),
                credentials.unwrap_or_default()
            )
        }
        TaskEvent::Started { worker } => {
            let worker = worker.as_ref().map(|worker| format!(" worker={worker}"));
            format!("Started{}", worker.unwrap_or_default())
        }
        TaskEvent::Submitted { output } => format!("Submitted output={}", json(output)),
        TaskEvent::Succeeded { output } => format!("Succeeded output={}", json(output)),
        TaskEvent::Failed(failure) => format!("Failed{}", failure_words(failure)),
        TaskEvent::TimedOut(failure) => format!("TimedOut{}", failure_words(failure)),
    }
}

/// An absent part is absent, an empty one is there.
pub(crate) fn failure_words(failure: &Failure) -> String {
    let word = |name: &str, part: &Option<Arc<str>>| {
        let shown = |part: &Arc<str>| if part.starts_with('{') { shown(part) } else { part.to_string() };
        part.as_ref().map(|part| format!(" {name}={}", shown(part))).unwrap_or_default()
    };
    format!("{}{}", word("error", &failure.error), word("cause", &failure.cause))
}
