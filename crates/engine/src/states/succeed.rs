//! Succeed: its input, through both paths, is the output of the container.

use asl::machine::Transition;
use asl::states::succeed::Succeed;

use crate::failure::Raised;
use crate::flow::Outcome;
use crate::step::{Data, Site, Step};

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Succeed) -> Result<Outcome, Raised> {
    let data = step.select(site, &state.input, Data::Named(site.input))?;
    let output = step.select(site, &state.output, data)?;
    Ok(Outcome::Exit { output, next: Transition::End, assigned: Vec::new() })
}
