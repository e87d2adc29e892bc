//! Fail: raises what the definition says, or what its paths find.

use std::sync::Arc;

use asl::jsonata::Expected;
use asl::states::fail::{Fail, Message};
use asl::template::missing;

use crate::failure::{Failure, Raised};
use crate::flow::Outcome;
use crate::io::Extra;
use crate::step::{Data, Site, Step};
use crate::trial::Station;

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Fail) -> Result<Outcome, Raised> {
    step.show(Station::InputPath, &Data::Named(site.input));
    let error = message(step, site, state.error.as_ref(), "ErrorPath")?;
    let cause = message(step, site, state.cause.as_ref(), "CausePath")?;
    Err(Raised::of(Failure { error, cause }))
}

fn message<'a>(
    step: &mut Step<'a>,
    site: &Site<'a>,
    message: Option<&Message>,
    field: &str,
) -> Result<Option<Arc<str>>, Raised> {
    let data = Data::Named(site.input);
    let value = match message {
        None => return Ok(None),
        Some(Message::Fixed(text)) => return Ok(Some(text.clone())),
        Some(Message::Path(path)) => {
            let found = step.evaluate(site, &data, Extra::default(), |scope, _| {
                path.select(scope).map_err(|miss| missing(field, path, scope, &miss))
            });
            found.map_err(|text| step.runtime(site, text))?
        }
        Some(Message::Intrinsic(call)) => step.call(site, call, &data)?,
        Some(Message::Query(expression)) => step.expression(site, expression, Expected::String)?,
    };
    match value.as_str() {
        Some(text) => Ok(Some(text.into())),
        None => {
            let text =
                format!("The value of the field '{field}' must be a string but was: {}", value.to_text());
            Err(step.runtime(site, text))
        }
    }
}
