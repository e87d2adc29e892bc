//! Choice: takes the first rule that holds, or the default.

use asl::json::Json;
use asl::jsonata::Expected;
use asl::machine::{Output, Transition};
use asl::states::choice::{Choice, When};

use crate::failure::{Failure, NO_CHOICE_MATCHED, RUNTIME, Raised};
use crate::flow::Outcome;
use crate::io::{Extra, Role};
use crate::step::{Site, Step};

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Choice) -> Result<Outcome, Raised> {
    let data = step.input(site, &state.input)?;
    let mut chosen = None;
    for rule in &state.rules {
        let holds = match &rule.when {
            When::Compare(condition) => step
                .evaluate(site, &data, Extra::default(), |scope, _| condition.holds(scope))
                .map_err(|cause| step.runtime(site, cause))?,
            When::Fixed(holds) => *holds,
            When::Query(expression) => {
                step.expression(site, expression, Expected::Boolean)? == Json::Bool(true)
            }
        };
        if holds {
            chosen = Some((rule.next, rule.assign.as_ref(), rule.output.as_ref()));
            break;
        }
    }
    let default = || state.default.map(|next| (next, state.assign.as_ref(), None));
    let taken = chosen.is_some();
    let Some((next, assign, query)) = chosen.or_else(default) else {
        // AWS reports States.Runtime, yet an enclosing Catch may name the error as the specification does.
        let text = "Failed to transition out of the state. The state does not point to a next state.";
        let failure = Failure::new(RUNTIME, step.cause(site, text));
        return Err(Raised { alias: Some(NO_CHOICE_MATCHED), ..Raised::of(failure) });
    };
    let assigned = step.assignments(site, assign, &data, Role::Input)?;
    let output = match (query, &state.output) {
        (Some(query), _) => step.query(site, query, &data, Role::Input, Extra::default())?,
        // The state's own `Output` is for when no rule holds.
        (None, Output::Query(_)) if taken => data,
        (None, output) => step.output(site, output, data, Role::Input)?,
    };
    Ok(Outcome::Exit { output, next: Transition::Next(next), assigned })
}
