//! Task: hands work out, and goes on when the work is done, failed or late.
//!
//! A function or a service is pushed to: the task is scheduled and started in one step, and its call is an effect. An
//! activity is pulled from: the task waits in a queue until a worker takes it, and its clocks run from then on.

use std::sync::Arc;

use asl::json::Json;
use asl::states::task::{Pattern, Resource, Task};

use crate::effect::Effect;
use crate::execution::{FrameId, Phase, Stage, TaskId, TaskRun, Timer};
use crate::failure::{Failure, Raised};
use crate::flow::Outcome;
use crate::history::{HistoryKind, TaskEvent};
use crate::io::{Extra, Role, shown};
use crate::step::{Data, Site, Step};
use crate::trial::Station;

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &'a Task) -> Result<Outcome, Raised> {
    let id = TaskId::new(site.frame, step.number());
    let mut data = step.input(site, &state.work.input)?;
    let shown = Extra { task: waits_for_token(&state.resource).then_some(id), item: None };
    if let Some(parameters) = &state.parameters {
        data = step.payload(site, parameters, &data, Role::Input, shown)?;
    }
    step.show(if site.state.in_jsonata { Station::Arguments } else { Station::Parameters }, &data);
    let raw = Data::Named(site.input);
    let timeout_seconds = step.seconds(site, state.timeout.as_ref(), &raw, "TimeoutSecondsPath")?;
    let heartbeat_seconds = step.seconds(site, state.heartbeat.as_ref(), &raw, "HeartbeatSecondsPath")?;
    let credentials = credentials(step, site, state)?;
    if let Resource::Activity(arn) = &state.resource
        && !step.at.world.has_activity(arn)
    {
        return Err(step.runtime(site, "The activity ARN does not exist."));
    }
    let input = step.name(data, &result_source(&state.resource))?;
    let scheduled = TaskEvent::Scheduled {
        resource: resource_shown(&state.resource),
        region: step.execution.facts().region.as_str().into(),
        input,
        timeout_seconds,
        heartbeat_seconds,
        credentials,
    };
    record(step, site.frame, &state.resource, scheduled);
    let mut run = TaskRun {
        id,
        input,
        timeout_seconds,
        heartbeat_seconds,
        timeout: None,
        heartbeat: None,
        stage: Stage::Offered,
        submission: None,
    };
    match &state.resource {
        Resource::Activity(arn) => step.effect(Effect::Offer { task: id, activity: arn.clone() }),
        Resource::Lambda(_) | Resource::Service(_) => {
            record(step, site.frame, &state.resource, TaskEvent::Started { worker: None });
            run.stage = Stage::Calling;
            start_clocks(step, site.frame, &state.resource, &mut run);
            step.effect(Effect::Call(id));
        }
    }
    step.set_phase(site.frame, Phase::Task(run));
    Ok(Outcome::Parked)
}

fn credentials<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &'a Task,
) -> Result<Option<Arc<str>>, Raised> {
    let Some(payload) = &state.credentials else { return Ok(None) };
    let made = step.payload(site, payload, &Data::Named(site.input), Role::Input, Extra::default())?;
    let made = step.value(&made);
    let role = made.get("RoleArn").unwrap_or(&Json::Null);
    match role.as_str().filter(|role| !role.is_empty()) {
        Some(role) => Ok(Some(role.into())),
        None => {
            // A task must not run without the role that it was to have. The text is ours: no recording shows it.
            let text = format!("The value of the field 'RoleArn' must be a string but was: {}", shown(role));
            Err(step.runtime(site, text))
        }
    }
}

/// Both clocks run from when the work starts (contracts: activities).
///
/// Only who holds a token can send heartbeats: a call that is simply awaited has no such clock.
fn start_clocks(step: &mut Step<'_>, frame: FrameId, resource: &Resource, run: &mut TaskRun) {
    run.timeout = set_clock(step, frame, run.timeout_seconds);
    if waits_for_token(resource) {
        run.heartbeat = set_clock(step, frame, run.heartbeat_seconds);
    }
}

fn set_clock(step: &mut Step<'_>, frame: FrameId, seconds: Option<u64>) -> Option<Timer> {
    let due_ms = step.after_seconds(seconds?);
    Some(step.set_timer(frame, due_ms))
}

fn clear(step: &mut Step<'_>, timer: Option<Timer>) {
    if let Some(timer) = timer {
        step.effect(Effect::ClearTimer(timer));
    }
}

/// The run of a task that is known to be out.
fn run_of(step: &Step<'_>, id: TaskId) -> Option<TaskRun> {
    step.execution.task_run(id).map(|(_, run)| run.clone())
}

/// A worker takes the task of an activity. However often an answer with it is lost, the history tells its start once.
pub(crate) fn taken(step: &mut Step<'_>, id: TaskId, worker: Option<Arc<str>>) {
    let (Some(mut run), Some((site, state))) = (run_of(step, id), at(step, id)) else { return };
    if run.stage == Stage::Offered {
        record(step, site.frame, &state.resource, TaskEvent::Started { worker });
    }
    clear(step, run.timeout.take());
    clear(step, run.heartbeat.take());
    run.stage = Stage::Taken;
    start_clocks(step, site.frame, &state.resource, &mut run);
    step.set_phase(site.frame, Phase::Task(run));
}

/// The answer with the task reached its worker.
pub(crate) fn delivered(step: &mut Step<'_>, id: TaskId) {
    let (Some(mut run), Some((site, state))) = (run_of(step, id), at(step, id)) else { return };
    hold(step, &mut run, state);
    step.set_phase(site.frame, Phase::Task(run));
}

/// The queue forgets a task that is with its worker.
fn hold(step: &mut Step<'_>, run: &mut TaskRun, state: &Task) {
    if run.stage == Stage::Taken {
        run.stage = Stage::Held;
        step.effect(Effect::Withdraw { task: run.id, activity: state.resource.arn().clone() });
    }
}

/// The answer with the task never reached its worker: the task waits for another, its clocks stopped.
pub(crate) fn returned(step: &mut Step<'_>, id: TaskId) {
    let Some(mut run) = run_of(step, id) else { return };
    clear(step, run.timeout.take());
    clear(step, run.heartbeat.take());
    run.stage = Stage::Returned;
    step.set_phase(id.frame(), Phase::Task(run));
}

/// A call was answered; the task now waits for whoever holds its token, or for the job that was submitted. Who waits
/// for a job needs to know its name after a crash too, so the row stays and the answer is kept.
pub(crate) fn submitted(step: &mut Step<'_>, id: TaskId, output: Arc<str>) {
    let (Some(mut run), Some((site, state))) = (run_of(step, id), at(step, id)) else { return };
    let output = step.name_text(output);
    record(step, site.frame, &state.resource, TaskEvent::Submitted { output });
    if waits_for_job(&state.resource) {
        run.stage = Stage::Working;
        run.submission = Some(output);
    } else {
        step.effect(Effect::Settle(id));
        run.stage = Stage::Submitted;
    }
    step.set_phase(site.frame, Phase::Task(run));
}

/// The heartbeat's clock starts anew; no event tells of it.
pub(crate) fn heartbeat(step: &mut Step<'_>, id: TaskId) {
    let (Some(mut run), Some((site, state))) = (run_of(step, id), at(step, id)) else { return };
    // Who sends it has the task.
    hold(step, &mut run, state);
    if let Some(timer) = run.heartbeat.take() {
        clear(step, Some(timer));
        run.heartbeat = set_clock(step, site.frame, run.heartbeat_seconds);
    }
    step.set_phase(site.frame, Phase::Task(run));
}

/// The task is done: its result goes on through ResultSelector, ResultPath and OutputPath, or through Output.
pub(crate) fn succeeded(step: &mut Step<'_>, id: TaskId, output: Arc<str>) {
    let Some((site, state)) = at(step, id) else { return };
    if output.len() > step.limits.payload_bytes_max {
        return failed(step, id, Raised::data_limit(&result_source(&state.resource)));
    }
    close(step, id);
    let result = step.name_text(output);
    record(step, site.frame, &state.resource, TaskEvent::Succeeded { output: result });
    let outcome = step.finish_work(&site, &state.work, Data::Named(result));
    step.settle(&site, outcome);
}

/// The task failed, as whoever worked on it says.
pub(crate) fn failed(step: &mut Step<'_>, id: TaskId, raised: Raised) {
    let failure = raised.failure.clone();
    over(step, id, TaskEvent::Failed(failure), raised);
}

/// The task was late, or its worker silent.
pub(crate) fn timed_out(step: &mut Step<'_>, id: TaskId, raised: Raised) {
    let failure = Failure { error: raised.failure.error.clone(), cause: None };
    over(step, id, TaskEvent::TimedOut(failure), raised);
}

fn over(step: &mut Step<'_>, id: TaskId, event: TaskEvent, raised: Raised) {
    let Some((site, state)) = at(step, id) else { return };
    close(step, id);
    record(step, site.frame, &state.resource, event);
    step.fail(&site, raised);
}

/// Takes back the rows and clocks of a task that is over.
fn close(step: &mut Step<'_>, id: TaskId) {
    let (Some(run), Some(site)) = (run_of(step, id), step.site(id.frame())) else { return };
    step.take_back(&site, &run);
    clear(step, run.timeout);
    clear(step, run.heartbeat);
    step.set_phase(site.frame, Phase::Active);
}

fn at<'a>(step: &Step<'a>, id: TaskId) -> Option<(Site<'a>, &'a Task)> {
    let site = step.site(id.frame())?;
    match &site.state.body {
        asl::machine::Body::Task(task) => Some((site, task)),
        _ => None,
    }
}

fn waits_for_token(resource: &Resource) -> bool {
    match resource {
        Resource::Activity(_) => true,
        Resource::Lambda(_) => false,
        Resource::Service(service) => service.pattern == Pattern::WaitForTaskToken,
    }
}

/// Whether the call submits a job, whose end is the task's.
fn waits_for_job(resource: &Resource) -> bool {
    matches!(resource, Resource::Service(service) if matches!(service.pattern, Pattern::Sync | Pattern::Sync2))
}

/// What a Scheduled event calls the resource.
fn resource_shown(resource: &Resource) -> Arc<str> {
    match resource {
        Resource::Lambda(arn) | Resource::Activity(arn) => arn.clone(),
        Resource::Service(service) => service.resource(),
    }
}

/// What a result that is too large is said to come from (recorded).
fn result_source(resource: &Resource) -> Arc<str> {
    match resource {
        Resource::Lambda(arn) | Resource::Activity(arn) => arn.clone(),
        Resource::Service(service) => service.service.clone(),
    }
}

fn record(step: &mut Step<'_>, frame: FrameId, resource: &Resource, event: TaskEvent) {
    let kind = match resource {
        Resource::Lambda(_) => HistoryKind::LambdaFunction(event),
        Resource::Activity(_) => HistoryKind::Activity(event),
        Resource::Service(service) => {
            HistoryKind::Task { service: service.service.clone(), resource: service.resource(), event }
        }
    };
    step.record(frame, kind);
}
