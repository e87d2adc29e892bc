//! Wait: sets a timer, and goes on when it is due. A moment that has passed ends it at once.

use asl::json::{Json, Number};
use asl::jsonata::Expected;
use asl::path::{Path, PathMiss};
use asl::states::wait::{Until, Wait};
use asl::timestamp;

use crate::execution::Phase;
use crate::failure::{Query, Raised};
use crate::flow::Outcome;
use crate::io::{Extra, Role, plain};
use crate::step::{Data, Site, Step};

/// The longest wait: 24,855 days are accepted, one more is not (recorded), which is 2³¹ seconds.
const SECONDS_MAX: i64 = 1 << 31;

pub(crate) fn enter<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &'a Wait) -> Result<Outcome, Raised> {
    let data = step.input(site, &state.input)?;
    let now_ms = step.at.now_ms;
    let due_ms = match &state.until {
        Until::Seconds(seconds) => step.after_seconds(*seconds),
        Until::Timestamp(at_ms) => *at_ms,
        Until::SecondsPath(path) => {
            let seconds = seconds(step, site, path, &data)?;
            step.after_seconds(seconds)
        }
        Until::TimestampPath(path) => moment(step, site, path, &data)?,
        Until::SecondsQuery(expression) => {
            let value = step.expression(site, expression, Expected::Integer)?;
            let seconds = step.whole(site, expression, &value, 0..=asl::SECONDS_MAX)?;
            step.after_seconds(seconds)
        }
        Until::TimestampQuery(expression) => {
            let value = step.expression(site, expression, Expected::String)?;
            queried_moment(step, site, &value)?
        }
    };
    if due_ms.saturating_sub(now_ms) > SECONDS_MAX * 1000 {
        return Err(step.runtime(site, "Wait state delay is too long."));
    }
    if due_ms <= now_ms {
        return resume(step, site, state);
    }
    let timer = step.set_timer(site.frame, step.waited(due_ms));
    step.set_phase(site.frame, Phase::Waiting(timer));
    Ok(Outcome::Parked)
}

pub(crate) fn resume<'a>(step: &mut Step<'a>, site: &Site<'a>, state: &Wait) -> Result<Outcome, Raised> {
    let data = step.select(site, &state.input, Data::Named(site.input))?;
    let assigned = step.assignments(site, state.assign.as_ref(), &data, Role::Input)?;
    let output = step.output(site, &state.output, data, Role::Input)?;
    Ok(Outcome::Exit { output, next: state.next, assigned })
}

fn seconds<'a>(step: &mut Step<'a>, site: &Site<'a>, path: &Path, data: &Data) -> Result<u64, Raised> {
    let found = step.evaluate(site, data, Extra::default(), |scope, _| path.select(scope));
    if found == Err(PathMiss::TooMuchWork) {
        return Err(step.runtime(site, PathMiss::TooMuchWork.cause(path)));
    }
    let Ok(value) = found else {
        let text = format!("The SecondsPath parameter does not reference an input value: {path}");
        return Err(step.runtime(site, text));
    };
    let seconds = match &value {
        Json::Number(Number::Int(seconds)) => Some(*seconds),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    let text = match seconds.map(u64::try_from) {
        Some(Ok(seconds)) => return Ok(seconds),
        Some(Err(_)) => "references a negative value",
        None => "cannot be parsed as a long value",
    };
    Err(step.runtime(site, format!("The SecondsPath parameter {text}: {path} == {}", plain(&value))))
}

fn moment<'a>(step: &mut Step<'a>, site: &Site<'a>, path: &Path, data: &Data) -> Result<i64, Raised> {
    let found = step.evaluate(site, data, Extra::default(), |scope, _| path.select(scope));
    if found == Err(PathMiss::TooMuchWork) {
        return Err(step.runtime(site, PathMiss::TooMuchWork.cause(path)));
    }
    let Ok(value) = found else {
        let text = format!("The TimestampPath parameter does not reference an input value: {path}");
        return Err(step.runtime(site, text));
    };
    value.as_str().and_then(timestamp::parse).ok_or_else(|| {
        let value = plain(&value);
        let text = format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format \
             string: {path} == {value}"
        );
        step.runtime(site, text)
    })
}

fn queried_moment<'a>(step: &mut Step<'a>, site: &Site<'a>, value: &Json) -> Result<i64, Raised> {
    value.as_str().and_then(timestamp::parse).ok_or_else(|| {
        let value = plain(value);
        let text =
            format!("The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {value}");
        // Unlike a failed expression, this one follows the event of the entry (recorded).
        Raised::query(step.cause(site, text), Query { location: Some("Timestamp".into()), entered: true })
    })
}
