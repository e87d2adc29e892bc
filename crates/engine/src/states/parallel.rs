//! Parallel: one frame for each branch; done when all are, failed when one is.

use asl::machine::ContainerId;
use asl::states::parallel::Parallel;

use crate::change::Change;
use crate::execution::{Phase, Seat};
use crate::failure::Raised;
use crate::flow::Outcome;
use crate::history::HistoryKind;
use crate::io::{Extra, Role};
use crate::payload::PayloadId;
use crate::step::{Site, Step};

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Parallel) -> Result<Outcome, Raised> {
    let mut data = step.input(site, &state.work.input)?;
    if let Some(parameters) = &state.parameters {
        data = step.payload(site, parameters, &data, Role::Input, Extra::default())?;
    }
    let input = step.name(data, &site.state.name)?;
    let started = step.record(site.frame, HistoryKind::ParallelStateStarted);
    if let Some(outcome) = step.mocked(site, &state.work) {
        return outcome;
    }
    step.set_phase(site.frame, Phase::Branches { results: vec![None; state.branches.len()] });
    for (index, branch) in state.branches.iter().enumerate() {
        let seat = Seat { parent: site.frame, index: index as u32, iteration: false };
        step.open_frame(Some(seat), ContainerId(branch.0), started, input);
    }
    Ok(Outcome::Parked)
}

/// A branch returned; `last` is its last event.
pub(crate) fn branch_done<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Parallel,
    index: u32,
    output: PayloadId,
    last: u64,
) -> Result<Outcome, Raised> {
    step.inside(site.frame, Change::Result { frame: site.frame, index, output });
    let Some(results) = returned(step, site) else { return Ok(Outcome::Parked) };
    step.join(site, last, HistoryKind::ParallelStateSucceeded);
    finish(step, site, state, results)
}

/// A redrive goes on with the branches that have not returned. When all have, it was the way out that failed.
pub(crate) fn take_up<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Parallel) -> Result<Outcome, Raised> {
    match returned(step, site) {
        Some(results) => finish(step, site, state, results),
        None => Ok(Outcome::Parked),
    }
}

/// What the branches returned, once all have.
fn returned(step: &Step<'_>, site: &Site<'_>) -> Option<Vec<PayloadId>> {
    match &step.activation(site.frame)?.phase {
        Phase::Branches { results } => results.iter().copied().collect(),
        _ => None,
    }
}

fn finish<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    state: &Parallel,
    results: Vec<PayloadId>,
) -> Result<Outcome, Raised> {
    let texts: Vec<_> = results.into_iter().map(|id| step.text(id)).collect();
    let result = step.array_of(texts);
    step.finish_work(site, &state.work, result)
}
