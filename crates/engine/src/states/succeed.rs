//! Succeed: its input, through both paths or through Output, is the output of the container.

use asl::machine::Transition;
use asl::states::succeed::Succeed;

use crate::failure::Raised;
use crate::flow::Outcome;
use crate::io::Role;
use crate::step::{Site, Step};

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Succeed) -> Result<Outcome, Raised> {
    let data = step.input(site, &state.input)?;
    let output = step.output(site, &state.output, data, Role::Input)?;
    Ok(Outcome::Exit { output, next: Transition::End, assigned: Vec::new() })
}
