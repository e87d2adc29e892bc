//! Map, distributed: one piece of work for whoever runs Map Runs, which tells once how it ended.
//!
//! What the state's fields say is evaluated here, when the state is entered, and becomes the plan of the Map Run. The
//! items are not looked at: there may be a hundred million.
//!
//! A redrive goes on with the Map Run that there was, under a new number: what is still told of the time before the end
//! is told under the old one. Whatever ended the visit, the plan is kept for that.

use std::sync::Arc;

use asl::json::Json;
use asl::jsonata::Expected;
use asl::machine::{Body, Payload};
use asl::states::map::distributed::Distributed;
use asl::states::map::{Items, Map};

use super::not_an_array;
use crate::effect::Effect;
use crate::execution::{MapRunPlan, Phase, TaskId};
use crate::failure::Raised;
use crate::flow::Outcome;
use crate::history::HistoryKind;
use crate::io::{Extra, Role};
use crate::payload::PayloadId;
use crate::step::{Data, Site, Step};

pub(super) fn enter<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &'a Map,
    fields: &'a Distributed,
) -> Result<Outcome, Raised> {
    let task = TaskId::new(site.frame, step.number());
    let input = step.select(site, &state.work.input, Data::Named(site.input))?;
    let max_concurrency = step.count(site, state.max_concurrency.as_ref(), &input, "MaxConcurrencyPath")?;
    // A reader's items are not known yet: their number is told as 0, and ItemsPath means nothing (both recorded).
    let items = match fields.reader {
        Some(_) => None,
        None => Some(items(step, site, state, &input)?),
    };
    let length = items.as_ref().map_or(0, |(_, length)| *length);
    let name = &site.state.name;
    let items = items.map(|(items, _)| step.name(items, name)).transpose()?;
    step.record(site.frame, HistoryKind::MapStateStarted { length });
    let tolerated_count =
        step.count(site, state.tolerated_failure_count.as_ref(), &input, "ToleratedFailureCountPath")?;
    let tolerated_percentage = step.percentage(site, state.tolerated_failure_percentage.as_ref(), &input)?;
    let reader = fields.reader.as_ref();
    let batcher = fields.batcher.as_ref();
    let max_items = reader.and_then(|reader| reader.max_items.as_ref());
    let max_items = step.integer(site, max_items, &input, "MaxItemsPath")?;
    let batch_items = batcher.and_then(|batcher| batcher.items_max.as_ref());
    let batch_items_max = step.count(site, batch_items, &input, "MaxItemsPerBatchPath")?;
    let batch_bytes = batcher.and_then(|batcher| batcher.bytes_max.as_ref());
    let batch_bytes_max = step.count(site, batch_bytes, &input, "MaxInputBytesPerBatchPath")?;
    let reader = reader.map(|reader| made(step, site, reader.arguments.as_ref(), &input)).transpose()?;
    let batch_input = batcher.and_then(|batcher| batcher.input.as_ref());
    let batch_input = batch_input.map(|payload| made(step, site, Some(payload), &input)).transpose()?;
    let writer = fields.writer.as_ref().and_then(|writer| writer.target.as_ref());
    let writer = writer.map(|payload| made(step, site, Some(payload), &input)).transpose()?;
    let scope = step.item_scope(site, state, &input);
    let facts = step.execution.facts.clone();
    let label = fields.label.as_deref();
    let arn = facts.map(|facts| step.at.world.map_run_arn(&facts, task, name, label)).unwrap_or_default();
    let arn: Arc<str> = arn.into();
    step.record(site.frame, HistoryKind::MapRunStarted { arn: arn.clone() });
    let plan = MapRunPlan {
        task,
        arn,
        items,
        reader,
        max_items,
        max_concurrency: max_concurrency.unwrap_or_default(),
        tolerated_count,
        tolerated_percentage,
        batch_items_max,
        batch_bytes_max,
        batch_input,
        writer,
        scope,
        redrives: 0,
    };
    step.set_phase(site.frame, Phase::Distributed(Box::new(plan)));
    step.effect(Effect::Call(task));
    Ok(Outcome::Parked)
}

/// A redrive goes on: the same Map Run is asked for once more.
pub(crate) fn take_up(step: &mut Step<'_>, site: &Site<'_>, mut plan: Box<MapRunPlan>) {
    let task = TaskId::new(site.frame, step.number());
    plan.task = task;
    plan.redrives += 1;
    step.record(site.frame, HistoryKind::MapRunRedriven { arn: plan.arn.clone(), count: plan.redrives });
    step.set_phase(site.frame, Phase::Distributed(plan));
    step.effect(Effect::Call(task));
}

/// The Map Run is over and its row goes. The plan stays until the state is left or tried again: if neither happens, a
/// redrive needs it.
fn settle(step: &mut Step<'_>, site: &Site<'_>, id: TaskId) {
    step.effect(Effect::Settle(id));
    if let Some(activation) = step.activation_mut(site.frame) {
        activation.halted = true;
    }
}

/// The value of a field, named.
fn made<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    payload: Option<&Payload>,
    input: &Data,
) -> Result<PayloadId, Raised> {
    let value = match payload {
        Some(payload) => step.payload(site, payload, input, Role::Input, Extra::default())?,
        None => Data::Value(Json::empty_object()),
    };
    step.name(value, &site.state.name)
}

/// The items in the state's input, and how many: the elements of an array, or the members of an object (asl-facts 16.1).
pub(crate) fn items<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    input: &Data,
) -> Result<(Data, u32), Raised> {
    let items = match &state.items {
        Some(Items::Path(path)) => Data::Value(step.find(site, path, input)?),
        Some(Items::Query(query)) => {
            let made = step.evaluate_query(site, input, Role::Input, Extra::default(), |evaluation| {
                match query.evaluate(evaluation)? {
                    object @ Json::Object(_) => Ok(object),
                    // Anything else that is no array fails in the words for that.
                    _ => query.evaluate_as(evaluation, Expected::Array),
                }
            });
            Data::Value(made?)
        }
        None => input.clone(),
    };
    let length = match step.value(&items) {
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        _ => return Err(not_an_array(step, site, state, &items)),
    };
    Ok((items, length as u32))
}

/// The Map Run is done: its result goes on as any result does.
pub(crate) fn succeeded(step: &mut Step<'_>, id: TaskId, output: Arc<str>) {
    let Some((site, state)) = at(step, id) else { return };
    if output.len() > step.limits.payload_bytes_max {
        return failed(step, id, Raised::data_limit(&site.state.name));
    }
    settle(step, &site, id);
    let result = step.name_text(output);
    let started = step.last_event(site.frame);
    let succeeded = step.record_after(started, HistoryKind::MapRunSucceeded);
    step.join(&site, succeeded, HistoryKind::MapStateSucceeded);
    // The exit of a machine's first state follows the end of the Map Run, any other's its start (recorded, 23 times).
    let first = step.activation(site.frame).is_some_and(|activation| activation.entered_after == 0);
    if !first && let Some(frame) = step.frame_mut(site.frame) {
        frame.last_event = started;
    }
    let outcome = step.finish_work(&site, &state.work, Data::Named(result));
    step.settle(&site, outcome);
}

/// The Map Run failed.
pub(crate) fn failed(step: &mut Step<'_>, id: TaskId, raised: Raised) {
    let Some((site, _)) = at(step, id) else { return };
    settle(step, &site, id);
    step.record(site.frame, HistoryKind::MapRunFailed(raised.failure.clone()));
    step.fail(&site, raised);
}

fn at<'a>(step: &Step<'a>, id: TaskId) -> Option<(Site<'a>, &'a Map)> {
    step.execution.map_run(id)?;
    let site = step.site(id.frame())?;
    match &site.state.body {
        Body::Map(map) => Some((site, map)),
        _ => None,
    }
}
