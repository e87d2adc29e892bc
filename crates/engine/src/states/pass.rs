//! Pass: InputPath, Parameters, Result, ResultPath, and OutputPath or Output, in this order.

use asl::states::pass::Pass;

use crate::failure::Raised;
use crate::flow::Outcome;
use crate::io::{Extra, Role};
use crate::step::{Data, Site, Step};
use crate::trial::Station;

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Pass) -> Result<Outcome, Raised> {
    let mut data = step.input(site, &state.input)?;
    if let Some(parameters) = &state.parameters {
        data = step.template(site, parameters, &data, Extra::default())?;
    }
    step.show(Station::Parameters, &data);
    if let Some(result) = &state.result {
        data = Data::Value(result.clone());
        step.show(Station::Result, &data);
    }
    step.show(Station::ResultSelector, &data);
    let assigned = step.assignments(site, state.assign.as_ref(), &data, Role::Input)?;
    let merged = step.merge(site, &state.result_path, data)?;
    step.show(Station::ResultPath, &merged);
    let output = step.output(site, &state.output, merged, Role::Input)?;
    Ok(Outcome::Exit { output, next: state.next, assigned })
}
