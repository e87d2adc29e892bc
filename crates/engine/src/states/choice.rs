//! Choice: takes the first rule that holds, or the default.

use asl::machine::Transition;
use asl::states::choice::Choice;

use crate::failure::{Failure, NO_CHOICE_MATCHED, RUNTIME, Raised};
use crate::flow::Outcome;
use crate::io::Extra;
use crate::step::{Data, Site, Step};

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Choice) -> Result<Outcome, Raised> {
    let data = step.select(site, &state.input, Data::Named(site.input))?;
    let mut chosen = None;
    for rule in &state.rules {
        let holds = step.evaluate(site, &data, Extra::default(), |scope, _| rule.condition.holds(scope));
        if holds.map_err(|cause| step.runtime(site, cause))? {
            chosen = Some((rule.next, rule.assign.as_ref()));
            break;
        }
    }
    let Some((next, assign)) = chosen.or(state.default.map(|next| (next, state.assign.as_ref()))) else {
        // AWS reports States.Runtime, yet an enclosing Catch may name the error as the specification does.
        let text = "Failed to transition out of the state. The state does not point to a next state.";
        let failure = Failure::new(RUNTIME, step.cause(site, text));
        return Err(Raised { alias: Some(NO_CHOICE_MATCHED), ..Raised::of(failure) });
    };
    let assigned = step.assignments(site, assign, &data)?;
    let output = step.select(site, &state.output, data)?;
    Ok(Outcome::Exit { output, next: Transition::Next(next), assigned })
}
