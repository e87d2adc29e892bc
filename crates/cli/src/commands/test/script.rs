//! A test case as the script of a simulated execution.
//!
//! A state's answers are counted over the whole execution, so that a loop, a retry and the iterations of a Map each take
//! the next one, in the order in which they ask.

use asl::states::task::Resource;
use sim::{Answer, Asked, Script};

use super::mocks::{Case, Reply};
use crate::document::source::Source;

/// Errors that a clock raises. Thrown without a cause at a task that has a clock, they let it run out.
const TIMEOUTS: [&str; 2] = ["States.Timeout", "States.HeartbeatTimeout"];

pub(super) struct CaseScript<'a> {
    pub(super) case: &'a Case,
    /// The mock file, for the places that troubles name.
    pub(super) file: &'a Source,
}

impl Script for CaseScript<'_> {
    type Trouble = String;

    fn answer(&mut self, asked: Asked<'_>) -> Result<Answer, String> {
        let state = &asked.state.name;
        let Some(response) = self.case.response(state) else {
            let at = self.place(self.case.span.start);
            let resource = match &asked.task.resource {
                Resource::Lambda(arn) | Resource::Activity(arn) => arn,
                Resource::Service(service) => &service.arn,
            };
            return Err(format!(
                "state '{state}' would call {resource}, and the case does not mock it: add \"{state}\": \"RESPONSE\" to \
                 '{}' ({at})",
                self.case.name
            ));
        };
        match response.at(asked.earlier) {
            Some(Reply::Return(output)) => Ok(Answer::Succeeded(output.clone())),
            Some(Reply::Throw { error, cause: None }) if asked.ends_alone && TIMEOUTS.contains(&&**error) => {
                Ok(Answer::Silence)
            }
            Some(Reply::Throw { error, cause }) => {
                Ok(Answer::Failed { error: Some(error.clone()), cause: cause.clone() })
            }
            None => {
                let at = self.place(response.span.start);
                let last = response.last().map_or("none".into(), |last| last.to_string());
                Err(format!(
                    "state '{state}' asks for attempt {}, and the last one of response '{}' is {last} ({at}): answers \
                     are not repeated, so add \"{}\" to it",
                    asked.earlier, response.name, asked.earlier
                ))
            }
        }
    }
}

impl CaseScript<'_> {
    fn place(&self, offset: usize) -> String {
        let position = self.file.position(offset);
        format!("{}:{}:{}", self.file.name, position.line, position.column)
    }
}
