//! Map, inline: one frame for each iteration that is running; the next starts when one is done. A Distributed Map is
//! one piece of work that is done elsewhere (`map/distributed.rs`).

pub(crate) mod distributed;

use asl::json::Json;
use asl::jsonata::{Expected, QueryFailure};
use asl::states::map::{INLINE_CONCURRENCY_MAX, Items, Map};

use crate::change::Change;
use crate::execution::{MapRun, Phase, Seat};
use crate::failure::Raised;
use crate::flow::Outcome;
use crate::history::HistoryKind;
use crate::io::{Extra, Role, shown};
use crate::payload::PayloadId;
use crate::step::{Data, Site, Step};
use crate::trial;

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &'a Map) -> Result<Outcome, Raised> {
    if step.trial.is_some() {
        return trial::map::enter(step, site, state);
    }
    if let Some(fields) = &state.distributed {
        return distributed::enter(step, site, state, fields);
    }
    let input = step.select(site, &state.work.input, Data::Named(site.input))?;
    let concurrency = step.count(site, state.max_concurrency.as_ref(), &input, "MaxConcurrencyPath")?;
    step.count(site, state.tolerated_failure_count.as_ref(), &input, "ToleratedFailureCountPath")?;
    step.percentage(site, state.tolerated_failure_percentage.as_ref(), &input)?;
    let (items, length) = items(step, site, state, &input)?;
    let items = step.name(items, &site.state.name)?;
    let input = step.name(input, &site.state.name)?;
    step.record(site.frame, HistoryKind::MapStateStarted { length: length as u32 });
    let asked = concurrency.filter(|concurrency| *concurrency > 0).unwrap_or(INLINE_CONCURRENCY_MAX);
    let run = MapRun {
        items,
        input,
        concurrency: asked.min(INLINE_CONCURRENCY_MAX) as u32,
        next: 0,
        running: 0,
        results: vec![None; length],
    };
    step.set_phase(site.frame, Phase::Iterations(run));
    if length == 0 {
        let last = step.last_event(site.frame);
        step.join(site, last, HistoryKind::MapStateSucceeded);
        return finish(step, site, state, Vec::new());
    }
    let last = step.last_event(site.frame);
    start_iterations(step, site, state, last)?;
    Ok(Outcome::Parked)
}

/// What there is to iterate over, and how many.
pub(crate) fn items<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    input: &Data,
) -> Result<(Data, usize), Raised> {
    let items = match &state.items {
        Some(Items::Path(path)) => Data::Value(step.find(site, path, input)?),
        Some(Items::Query(query)) => {
            let made = step.evaluate_query(site, input, Role::Input, Extra::default(), |evaluation| {
                query.evaluate_as(evaluation, Expected::Array)
            });
            Data::Value(made?)
        }
        None => input.clone(),
    };
    match step.value(&items).as_array().map(<[Json]>::len) {
        Some(length) => Ok((items, length)),
        None => Err(not_an_array(step, site, state, &items)),
    }
}

/// What there is to iterate over is no array.
pub(super) fn not_an_array<'a>(step: &Step<'a>, site: &Site<'a>, state: &Map, items: &Data) -> Raised {
    if state.in_jsonata {
        let text = format!("Map state input must be an array but was: {}", shown(&step.value(items)));
        return step.query_failed(site, QueryFailure { location: None, text });
    }
    let path = match &state.items {
        Some(Items::Path(path)) => path.from_document(),
        Some(Items::Query(_)) | None => "$".to_owned(),
    };
    step.runtime(site, format!("Reference path \"{path}\" must point to array."))
}

/// Starts as many iterations as may run; each follows `last`.
fn start_iterations<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Map, last: u64) -> Result<(), Raised> {
    loop {
        let Some(Phase::Iterations(run)) = step.activation(site.frame).map(|activation| &activation.phase)
        else {
            return Ok(());
        };
        if run.running >= run.concurrency || run.next as usize >= run.results.len() {
            return Ok(());
        }
        let (index, items, input) = (run.next, Data::Named(run.items), Data::Named(run.input));
        let data = selected(step, site, state, &items, &input, index)?;
        let input = step.name(data, &site.state.name)?;
        step.inside(site.frame, Change::IterationStarted(site.frame));
        let name = site.state.name.clone();
        let started = step.record_after(last, HistoryKind::MapIterationStarted { name, index });
        let seat = Seat { parent: site.frame, index, iteration: true };
        step.open_frame(Some(seat), state.processor, started, input);
    }
}

/// What an iteration gets: its item, or what `ItemSelector` makes of it.
pub(crate) fn selected<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    items: &Data,
    input: &Data,
    index: u32,
) -> Result<Data, Raised> {
    let item = step.value(items).index(index as usize).cloned().unwrap_or(Json::Null);
    let Some(selector) = &state.item_selector else { return Ok(Data::Value(item)) };
    let extra = Extra { item: Some((index, item)), task: None };
    step.payload(site, &selector.template, input, Role::Input, extra)
}

/// An iteration returned; `last` is its last event, which the next iteration follows (recorded).
pub(crate) fn iteration_done<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    index: u32,
    output: PayloadId,
    last: u64,
) -> Result<Outcome, Raised> {
    let name = site.state.name.clone();
    let succeeded = step.record_after(last, HistoryKind::MapIterationSucceeded { name, index });
    step.inside(site.frame, Change::Result { frame: site.frame, index, output });
    start_iterations(step, site, state, last)?;
    let Some(results) = returned(step, site) else { return Ok(Outcome::Parked) };
    step.join(site, succeeded, HistoryKind::MapStateSucceeded);
    finish(step, site, state, results)
}

/// A redrive goes on with the iterations that were cut off, and starts those that never were. When all have returned, it
/// was the way out that failed.
pub(crate) fn take_up<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Map) -> Result<Outcome, Raised> {
    let last = step.last_event(site.frame);
    start_iterations(step, site, state, last)?;
    match returned(step, site) {
        Some(results) => finish(step, site, state, results),
        None => Ok(Outcome::Parked),
    }
}

/// What the iterations returned, once all have.
fn returned(step: &Step<'_>, site: &Site<'_>) -> Option<Vec<PayloadId>> {
    match &step.activation(site.frame)?.phase {
        Phase::Iterations(run) if run.running == 0 && run.next as usize >= run.results.len() => {
            Some(run.results.iter().copied().flatten().collect())
        }
        _ => None,
    }
}

fn finish<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    results: Vec<PayloadId>,
) -> Result<Outcome, Raised> {
    let texts: Vec<_> = results.into_iter().map(|id| step.text(id)).collect();
    let result = step.array_of(texts);
    step.finish_work(site, &state.work, result)
}
