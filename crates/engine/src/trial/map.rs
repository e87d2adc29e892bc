//! A Map under trial: its fields are evaluated as ever, and its iterations are what the mock says of them.

use std::sync::Arc;

use asl::states::map::Map;

use super::{MapNumbers, Mock, Station, Trial};
use crate::failure::{EXCEED_TOLERATED_FAILURE_THRESHOLD, Raised};
use crate::flow::Outcome;
use crate::states::map::{items, selected};
use crate::step::{Data, Site, Step};

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Map) -> Result<Outcome, Raised> {
    let input = step.input(site, &state.work.input)?;
    // The items come first: a Map that has none shows no numbers (recorded).
    let (items, length) = items(step, site, state, &input)?;
    step.show(Station::ItemsPath, &items);
    let numbers = numbers(step, site, state, &input, length)?;
    if state.item_selector.is_some() {
        show_selected(step, site, state, &items, &input, length)?;
    }
    let Some(trial) = step.trial else { return Ok(Outcome::Parked) };
    trial.counted(numbers);
    if matches!(trial.mock, Some(Mock::Result(_))) && !tolerates(trial, &numbers) {
        let cause = "The specified tolerated failure threshold was exceeded";
        return Err(Raised::named(EXCEED_TOLERATED_FAILURE_THRESHOLD, cause));
    }
    // Nothing but a mock can say what a Map comes to that is tried alone.
    step.mocked(site, &state.work).unwrap_or(Ok(Outcome::Parked))
}

fn numbers<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    input: &Data,
    items: usize,
) -> Result<MapNumbers, Raised> {
    let concurrency = step.count(site, state.max_concurrency.as_ref(), input, "MaxConcurrencyPath")?;
    let count = state.tolerated_failure_count.as_ref();
    let tolerated_count = step.count(site, count, input, "ToleratedFailureCountPath")?;
    let percentage = state.tolerated_failure_percentage.as_ref();
    let tolerated_percentage = step.percentage(site, percentage, input)?;
    Ok(MapNumbers {
        items,
        concurrency: concurrency.unwrap_or_default(),
        tolerated_count,
        tolerated_percentage,
    })
}

/// Whether the Map tolerates the iterations that failed: any number of them when it names no threshold (recorded).
fn tolerates(trial: &Trial, numbers: &MapNumbers) -> bool {
    let failed = trial.failed_iterations.unwrap_or_default() as f64;
    let percentage = failed * 100.0 / numbers.items.max(1) as f64;
    !numbers.tolerated_count.is_some_and(|tolerated| failed > tolerated as f64)
        && !numbers.tolerated_percentage.is_some_and(|tolerated| percentage > tolerated)
}

/// Shows what `ItemSelector` makes of each item. All together may be as large as a payload: of more, nothing is shown, and
/// nothing more is evaluated.
fn show_selected<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Map,
    items: &Data,
    input: &Data,
    length: usize,
) -> Result<(), Raised> {
    let mut bytes_left = step.limits.payload_bytes_max;
    let mut all = Vec::new();
    for index in 0..length {
        let data = selected(step, site, state, items, input, index as u32)?;
        let Ok(text) = step.value(&data).to_text_within(bytes_left) else { return Ok(()) };
        bytes_left = bytes_left.saturating_sub(text.len() + 1);
        all.push(Arc::from(text));
    }
    let all = step.array_of(all);
    step.show(Station::ItemSelector, &all);
    Ok(())
}
